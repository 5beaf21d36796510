"""Readings of protocol 1: raw pixels as features, and all else as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from polars.testing import assert_frame_equal

from helpers.readings import stored_frame
from memgen_leaderboard.scoring.older_protocol import in_newer_form
from memgen_leaderboard.scoring.units import current, units

if TYPE_CHECKING:
    from helpers.readings import Bench, Row

OLD = {"protocol_version": 1}
ZERO = {"rate": 0.0, "noise": None, "noise_seed": None}


@pytest.fixture
def old(bench: Bench) -> Bench:
    """Two models that share a data set; each read raw pixels as its own input."""
    for model in ("cnn", "mlp"):
        for kind in ("memorized", "untrained"):
            own: Row = {**OLD, "model": model, "kind": kind}
            own |= {"memorized": None, "order_seed": None} if kind == "untrained" else {}
            bench.decode({"input": (0.6, 0.5), "fc1": (0.5, 0.7)}, **own)
        bench.readout(0.3, **OLD, model=model)
    return bench


def test_the_input_of_all_networks_is_one_row_of_features(old: Bench) -> None:
    features = current(stored_frame(old.rows)).filter(kind="features")
    columns = ("model", "layer", "rate", "memorized", "init_seed", "order_seed", "test_accuracy")
    assert features.select(columns).rows() == [("pixels", "features", 0.4, None, None, None, 0.5)]


def test_seeds_and_draws_are_kept_apart(bench: Bench) -> None:
    for seed in (0, 1):
        for rate in (0.2, 0.4):
            bench.decode({"input": (0.6, seed / 2 + rate)}, **OLD, seed=seed, rate=rate)
    features = current(stored_frame(bench.rows)).filter(kind="features").sort("seed", "rate")
    assert features["test_accuracy"].to_list() == [0.2, 0.4, 0.7, 0.9]


def test_true_labels_depend_on_no_draw(bench: Bench) -> None:
    untrained = {**OLD, "kind": "untrained", "memorized": None, "order_seed": None}
    bench.decode({"input": (0.6, 0.5)}, **untrained, **ZERO, labels="true")
    bench.decode({"input": (0.4, 0.5)}, **OLD, labels="true")
    found = in_newer_form(stored_frame(bench.rows)).filter(kind="features")
    assert found.select("rate", "validation_accuracy").rows() == [(0.0, 0.6)]


def test_raw_pixels_are_a_control_and_no_layer(old: Bench) -> None:
    found = units(current(stored_frame(old.rows))).select(
        "model", "layer", "decoded", "pixels", "control"
    )
    assert found.rows() == [("cnn", "fc1", 0.7, 0.5, 0.5), ("mlp", "fc1", 0.7, 0.5, 0.5)]


def test_decoders_were_fitted_on_what_networks_were_trained_on(old: Bench) -> None:
    found = in_newer_form(stored_frame(old.rows))
    assert set(found["fitted_on"]) == {"training"}
    assert set(found["held_out_count"]) == {None}


def test_newer_readings_stay_as_they_are(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8).decode({"input": (0.5, 0.5)}, decoder="own")
    rows = in_newer_form(stored_frame(bench.rows))
    assert_frame_equal(in_newer_form(rows), rows)
    assert rows.filter(layer="input").height == 1
