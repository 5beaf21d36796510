"""The contract: each check fails a plugin that breaks it, and that plugin fails nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from memgen_bench import load_registry
from memgen_bench.global_state import is_checked
from memgen_bench.testing import decoders, examination
from memgen_bench.testing.check import Broken
from memgen_bench.testing.examination import Subject, checks_of, examine, examine_in_child
from memgen_bench.testing.planted import DecoderBench
from memgen_bench.testing.subjects import NOUNS
from memgen_bench.workers.child import Children

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memgen_bench.testing.check import CheckResult

BROKEN = Path(__file__).parent / "broken"
# A decoder that knows the labels which it must not see is not blind, either.
ALSO = {"finds-nothing-in-nothing": {"is-blind"}}


def file_of(noun: str) -> str:
    return str(BROKEN / f"{noun}s.py")


@cache
def offered(noun: str) -> dict[str, str]:
    """Return the summaries of broken plugins by name."""
    registry = load_registry([file_of(noun)])
    specs = registry.catalogue(noun)
    return {n: specs[n].summary for n in specs if specs.plugin(n).file == file_of(noun)}


def subject(noun: str, name: str, file: str | None = None) -> Subject:
    files = (file or file_of(noun),)
    return Subject(noun=noun, name=name, plugin="a test's", files=files, data_dir=BROKEN)


def failed(of: Subject) -> dict[str, CheckResult]:
    results: list[CheckResult] = []
    examine(of, {}, results.append)
    assert [result.check for result in results] == [c.name for c in checks_of(of.noun)]
    return {result.check: result for result in results if result.status == "failed"}


@pytest.mark.parametrize(
    ("noun", "name"), [(noun, name) for noun in NOUNS for name in offered(noun)]
)
def test_a_broken_plugin_fails_the_check_whose_name_it_bears(
    noun: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "keeps-to-the-budget":
        monkeypatch.setattr(decoders, "SECONDS", 0.3)
    if name == "keeps-to-the-budget.memory":
        monkeypatch.setattr(decoders, "MEBIBYTES", 150)
    check = name.partition(".")[0]
    found = failed(subject(noun, name))
    assert set(found) == {check} | ALSO.get(name, set())
    assert offered(noun)[name] in found[check].message


@pytest.mark.parametrize("noun", NOUNS)
def test_every_check_has_a_plugin_that_fails_it_and_says_what_it_demands(noun: str) -> None:
    checks = checks_of(noun)
    assert {name.partition(".")[0] for name in offered(noun)} == {check.name for check in checks}
    assert all(20 < len(check.demand) < 120 for check in checks)


def test_decoders_that_ship_are_checked_for_writes_though_a_run_does_not_watch_them() -> None:
    spec = load_registry([file_of("decoder")]).decoders["leaves-inputs-alone.shared"]

    def build() -> Any:
        return spec.build()

    build.__module__ = "memgen_plugins.decoders"
    assert is_checked(build)
    (check,) = [each for each in decoders.CHECKS if each.name == "leaves-inputs-alone"]
    with pytest.raises(Broken, match="work on a copy"):
        check.run(DecoderBench(replace(spec, build=build)))


TROUBLE = """
import os, time
import numpy as np
from memgen_bench import NoiseSpec, hookimpl


def corrupt(labels, rate, num_classes, rng):
    if rate == 0.5 and len(labels) == 20_000:
        TROUBLE
    return np.where(rng.random(len(labels)) < rate, (labels + 1) % num_classes, labels)


def transition(rate, num_classes):
    eye = np.eye(num_classes)
    return (1 - rate) * eye + rate * np.roll(eye, 1, axis=1)


@hookimpl
def register_noises():
    return [NoiseSpec(name="trouble", summary="x", corrupt=corrupt, transition=transition)]
"""


@pytest.fixture
def children() -> Iterator[Children]:
    own = Children()
    yield own
    own.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "says"), [("os._exit(3)", "exit code 3"), ("time.sleep(99)", "longer than 4 s")]
)
def test_what_hangs_or_crashes_fails_its_check_and_the_others_go_on(
    trouble: str, says: str, children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "SECONDS", 4)
    file = tmp_path / "trouble.py"
    file.write_text(TROUBLE.replace("TROUBLE\n", f"{trouble}\n"))
    results = list(examine_in_child(subject("noise", "trouble", str(file)), children))
    assert [result.check for result in results] == [c.name for c in checks_of("noise")]
    found = {result.check: result for result in results}
    assert found["leaves-labels-alone"].status == "failed"
    assert says in found["leaves-labels-alone"].message
    assert found["rate-0-changes-nothing"].status == "passed"
    assert found["repeats-itself"].status == "failed"  # essential for all that follow
    assert found["states-its-transition"].message == "mend repeats-itself first"
