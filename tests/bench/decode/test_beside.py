"""Features of the images beside a layer: those of the control, scaled, and only where asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from helpers.reading_lab import CPU, SUITE, Lab, of, plain, same
from memgen_bench import DecoderSpec, NotApplicable, load_registry
from memgen_bench.data.planned_data import PlannedData
from memgen_bench.decode import reader
from memgen_bench.decode.activations import extract
from memgen_bench.decode.beside import features_of, put_beside
from memgen_bench.decode.decoding import Activations, Extras, decode
from memgen_bench.files.places import find_places
from memgen_bench.messages import RunSettings
from memgen_bench.network.trainer import Trainer
from memgen_bench.plugin.composition import beside
from memgen_bench.running.runner import plan_run
from memgen_bench.workers.questions import Questions
from memgen_plugins.decoders.layer.centroid import CosineCentroid

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.decode.decoding import Outcome
    from memgen_bench.plan.suite import FittedOn

pytestmark = pytest.mark.usefixtures("one_thread")
RNG = np.random.default_rng(0)


def on_test(outcome: Outcome) -> Any:
    assert outcome.predictions is not None
    return outcome.predictions.test


def block(width: int, scale: float, shift: float = 0.0) -> Activations:
    train, sample, validation, test = (
        (shift + scale * RNG.standard_normal((count, width))).astype(np.float32)
        for count in (200, 20, 30, 40)
    )
    return Activations(train=train, sample=sample, validation=validation, test=test)


def test_neither_block_drowns_the_other() -> None:
    joined = put_beside(block(50, 100.0, 7.0), block(3, 1e-3, -1.0), "pixels")
    train: Any = joined.train
    assert train.shape == (200, 53)
    assert train.dtype == np.float32
    assert np.abs(train.mean(axis=0)).max() < 1e-3
    variances = train.var(axis=0)
    assert (variances[:50].sum(), variances[50:].sum()) == (
        pytest.approx(1, rel=1e-3),
        pytest.approx(1, rel=1e-3),
    )
    assert joined.beside == "pixels"


def test_other_points_are_scaled_as_the_points_to_fit_on() -> None:
    layer, features = block(4, 3.0), block(2, 5.0)
    lent, beside = (
        replace(each, test=each.train)  # type: ignore[arg-type]
        for each in (layer, features)
    )
    joined = put_beside(lent, beside, "f")
    assert np.array_equal(joined.test, joined.train)  # type: ignore[arg-type]


def test_constant_columns_become_zero() -> None:
    layer = block(2, 1.0)
    train: Any = layer.train
    train[:, 0] = 4.0
    joined: Any = put_beside(layer, block(2, 1.0), "f").train
    assert not joined[:, 0].any()
    assert np.isfinite(joined).all()


@pytest.mark.parametrize("points", ["training", "held_out", "both"])
def test_features_beside_a_layer_are_those_of_the_control(points: FittedOn, tmp_path: Path) -> None:
    """The features of a split are fitted on the same images, whatever decoders are fitted on."""
    asked: dict[str, Any] = {"kinds": ("untrained", "features"), "features": ("patches/8",)}
    asked |= {"decoders": ("ncm|patches/8",), "models": ("mlp",), "held_out_fraction": 0.25}
    suite = SUITE.replace(asked | {"fitted_on": (points,)})
    plan = plan_run(suite, load_registry(), find_places(tmp_path, tmp_path), questions=Questions())
    control, network = plan.networks
    assert {reading.decoding.decoder for reading in control.readings} == set()
    data = PlannedData(network, (), tmp_path)
    found = features_of("patches/8", network, data.fitted_on(points), points)
    settings = RunSettings(plugin_files=(), data_dir=tmp_path, network_dir=tmp_path, device="cpu")
    module = Trainer(control, data, CPU, settings, lambda _: None).network().module
    for name in ("train", "validation", "test"):
        subset = getattr(data.fitted_on(points), name)
        own = extract(module, subset.x, control.layers, device=CPU)["features"]
        assert np.array_equal(getattr(found, name), own)


def test_a_reader_puts_them_beside_each_layer_and_disturbs_no_other(
    lab: Lab, expected: dict[str, Any]
) -> None:
    name = "on-arrays|pixels"
    found = lab.read([*SUITE.decoders, name])
    same(of(found, *SUITE.decoders, None), expected)
    both, alone = of(found, name), of(found, "on-arrays")
    assert {outcome.status for outcome in both.values()} == {"ok"}
    assert len(both) == len(alone) == 3 * 3
    differ = [
        (on_test(both[place]) != on_test(alone[place.replace("|pixels", "")])).any()
        for place in both
    ]
    assert all(differ)
    same(both, of(lab.read([name]), name))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotApplicable("no such images"), ("skipped", None, "no such images")),
        (RuntimeError("broken"), ("failed", "error", "RuntimeError: broken")),
    ],
)
def test_features_that_cannot_be_had_cost_their_own_readings_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: Exception, told: tuple[str | None, ...]
) -> None:
    def fail(*_: object) -> Activations:
        raise error

    monkeypatch.setattr(reader, "features_of", fail)
    found = lab.read(["on-arrays", "on-arrays|pixels"])
    assert {outcome.status for outcome in of(found, "on-arrays").values()} == {"ok"}
    assert {plain(outcome) for outcome in of(found, "on-arrays|pixels").values()} == {told}


def test_activations_without_the_features_are_not_read() -> None:
    """As those of a fixture, which has no images."""
    spec = beside("a|pixels", DecoderSpec(name="a", summary="", build=CosineCentroid), "pixels")
    extras = Extras(
        validation_labels=np.zeros(30, np.int64),
        transition=np.eye(2),
        module=torch.nn.Identity(),
        seed=0,
        device=CPU,
    )
    outcome = decode(spec, block(3, 1.0), np.arange(200) % 2, extras, 2)
    assert (outcome.status, outcome.message) == (
        *("skipped", "there are no pixels beside these activations"),
    )
