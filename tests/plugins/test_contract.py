"""What every registered specification must do; a new one is tested because it is registered."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from memgen_bench import build_decoder, load_registry
from memgen_bench.files.places import default_data_dir
from memgen_bench.testing.examination import Subject, examine
from memgen_bench.testing.subjects import find_subjects

if TYPE_CHECKING:
    from memgen_bench.testing.check import CheckResult

REGISTRY = load_registry()
ALIKE = {"feature patches/400"}  # more centroids than patches/100, and ten times the work
SUBJECTS = [
    subject
    for subject in find_subjects(REGISTRY, (), (), default_data_dir())
    if str(subject) not in ALIKE
]
# The others are large networks and data sets.
QUICK = {
    *("decoder", "noise", "model mlp", "model cnn", "model conv1d"),
    *("dataset digits", "dataset digits-shifted", "dataset modular-addition"),
    "dataset noise-images",
}
# Composed decoders are classes that are asked on their own.
SLOW = {f"decoder {name}" for name, spec in REGISTRY.decoders.items() if spec.slow or ">" in name}


def mark(subject: Subject) -> Any:
    quick = {subject.noun, str(subject)} & QUICK and str(subject) not in SLOW
    return pytest.param(subject, id=str(subject), marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize("subject", [mark(each) for each in SUBJECTS])
def test_what_ships_keeps_the_contract(subject: Subject) -> None:
    verdicts: list[CheckResult] = []
    examine(subject, {}, verdicts.append)
    failed = {v.check: v.message for v in verdicts if v.status == "failed"}
    assert failed == {}
    if all(verdict.status == "not applicable" for verdict in verdicts[1:]):
        pytest.skip(verdicts[1].message)


ON_A_LAYER = {name: spec for name, spec in REGISTRY.decoders.items() if spec.scope == "layer"}
# Of decoders of one class one is enough for everyday.
ONE_OF_A_CLASS = {type(ON_A_LAYER[name].build()): name for name in ON_A_LAYER if ">" not in name}
EVERYDAY = {name for name in ONE_OF_A_CLASS.values() if not ON_A_LAYER[name].slow}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in EVERYDAY else pytest.mark.slow) for n in ON_A_LAYER],
)
def test_decoders_follow_scikit_learn(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks feed nonsense on purpose
        check_estimator(build_decoder(name), on_skip=None)


@pytest.mark.parametrize("name", REGISTRY.decoders)
def test_a_built_decoder_is_fresh_and_its_parameters_survive_a_clone(name: str) -> None:
    spec = REGISTRY.decoders[name]
    assert spec.build() is not spec.build()
    estimator: Any = spec.build()
    assert str(clone(estimator)) == str(estimator)


def test_the_data_that_need_no_download_are_there() -> None:
    for name in ("digits", "digits-shifted", "modular-addition", "noise-images"):
        REGISTRY.datasets[name].files(default_data_dir())


@pytest.mark.parametrize("noun", ["models", "decoders"])
def test_what_others_invented_is_cited(noun: str) -> None:
    for name, spec in getattr(REGISTRY, noun).items():
        assert spec.citation or name in ("mlp", "cnn", "cnn-pooled")
