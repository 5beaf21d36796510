"""What belongs to a unit: its controls, and which of several readings counts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from helpers.readings import DEPTHS, FLAT, LATER, Bench, Profile, Row, frame
from memgen_leaderboard.scoring.ranking import rank
from memgen_leaderboard.scoring.units import current, units

if TYPE_CHECKING:
    from collections.abc import Callable

UNTRAINED = {"kind": "untrained", "memorized": None, "order_seed": None}

# controls


def test_each_control_comes_from_its_own_rows(bench: Bench) -> None:
    draw_of_clean = {"kind": "clean", "memorized": True}
    at_zero = {"rate": 0.0, "noise": None, "noise_seed": None, "labels": "true"}
    for seed, shift in ((0, 0.0), (1, 0.01)):
        bench.decode({"fc1": (0.9, 0.6 + shift)}, seed=seed)
        bench.decode({"fc1": (0.2, 0.1), "fc2": (0.9, 0.9 + shift)}, labels="true", seed=seed)
        bench.readout(0.3 + shift, seed=seed)
        bench.clean_readout(0.8 + shift, seed=seed)
        bench.decode({"fc3": (0.9, 0.5 + shift)}, **draw_of_clean, seed=seed)
        bench.decode({"fc3": (0.9, 0.98)}, **draw_of_clean, **at_zero, seed=seed)
        bench.decode({"fc1": (0.4, 0.4 + shift), "fc2": (0.1, 0.97)}, **UNTRAINED, seed=seed)
        bench.decode({"fc1": (0.9, 0.96)}, **UNTRAINED, **at_zero, seed=seed)
        bench.readout(0.09, **UNTRAINED, **{**at_zero, "labels": None}, seed=seed)
        bench.decode({"fc1": (0.3, 0.2), "fc2": (0.4, 0.35 + shift)}, kind="random", seed=seed)
        bench.features(0.11 + shift, 0.6, seed=seed)
    expected = {
        "decoded": 0.6,
        "pixels": 0.11,
        "true_labels": 0.9,
        "readout": 0.3,
        "ceiling": 0.8,
        "clean": 0.5,
        "untrained": 0.4,
        "random": 0.35,
        "control": 0.11,  # best on validation
    }
    units = bench.units().sort("seed")
    assert units.height == 2
    for unit, shift in zip(units.iter_rows(named=True), (0.0, 0.01), strict=True):
        found = {name: unit[name] for name in expected}
        assert found == pytest.approx({name: value + shift for name, value in expected.items()})


def test_one_untrained_and_one_clean_network_serve_all_rates(bench: Bench) -> None:
    for rate in (0.2, 0.6):
        bench.decode(FLAT, rate=rate).readout(0.4, rate=rate)
        bench.decode({"fc1": (0.5, rate / 2)}, **UNTRAINED, rate=rate)
    bench.clean_readout(0.9)
    units = bench.units()
    assert units.select("rate", "untrained", "ceiling").rows() == [(0.2, 0.1, 0.9), (0.6, 0.3, 0.9)]


def test_one_untrained_network_serves_all_orders(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.25)}, **UNTRAINED)
    for order in (0, 1):
        bench.decode(FLAT, order_seed=order).readout(0.4, order_seed=order)
        bench.clean_readout(0.8 + order / 10, order_seed=order)
    units = bench.units()
    assert units.select("order_seed", "untrained", "ceiling").rows() == [
        (0, 0.25, 0.8),
        (1, 0.25, 0.9),
    ]


def test_controls_that_were_not_run_are_null(bench: Bench) -> None:
    (unit,) = bench.decode({"fc1": (0.5, 0.5)}).units().iter_rows(named=True)
    names = ("readout", "ceiling", "untrained", "random", "pixels", "control", "clean")
    assert [unit[name] for name in names] == [None] * len(names)


def test_networks_that_share_a_cell_and_seeds_are_not_crossed(bench: Bench) -> None:
    for size, shift in ((100, 0.0), (300, 0.1)):
        own = {"train_count": size, "network_id": f"net-{size}"}
        bench.decode({**FLAT, "fc1": (0.9, 0.6 + shift)}, **own).readout(0.3 + shift, **own)
    units = bench.units().sort("decoded")
    assert units.select("decoded", "readout").rows() == [(0.6, 0.3), (0.7, pytest.approx(0.4))]


# what counts


def test_a_newer_reading_of_a_decoder_supersedes_the_older(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.9)}, decoder_version=1)
    bench.decode({"fc1": (0.5, 0.6)}, decoder_version=2, created=LATER)
    assert bench.units()["decoded"].to_list() == [0.6]


def test_a_newer_version_that_fails_supersedes_the_older_too(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.9)}, decoder_version=1)
    bench.decode({"fc1": (None, None)}, decoder_version=2, created=LATER, status="failed")
    assert bench.units().is_empty()


def test_a_newer_version_counts_even_where_an_older_was_run_last(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.6)}, decoder_version=2)
    bench.decode({"fc1": (0.5, 0.9)}, decoder_version=1, created=LATER)
    assert bench.units()["decoded"].to_list() == [0.6]


def test_protocol_versions_are_not_mixed(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.9)}, protocol_version=2, seed=0, created=LATER)
    bench.decode({"fc1": (0.5, 0.6)}, protocol_version=3, seed=1)
    assert bench.units().select("seed", "decoded").rows() == [(1, 0.6)]


def test_no_readings_are_no_units(bench: Bench) -> None:
    assert bench.units().is_empty()


# other views


def test_other_kinds_and_labels_are_views_of_their_own(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.6)}).readout(0.3).features(0.2)
    bench.decode({"fc2": (0.5, 0.9)}, labels="true")
    bench.decode({"fc3": (0.5, 0.7)}, kind="clean").clean_readout(0.95)
    bench.decode({"fc3": (0.5, 0.5)}, **UNTRAINED)
    at_zero: Row = {"rate": 0.0, "noise": None, "noise_seed": None}
    bench.decode({"fc2": (0.5, 0.45)}, **UNTRAINED, **at_zero, labels="true")
    bench.features(0.4, **at_zero, labels="true")
    bench.readout(0.1, **UNTRAINED, **at_zero)
    names = ("layer", "decoded", "pixels", "untrained", "readout", "ceiling")

    def view(kind: str, labels: str) -> tuple[object, ...]:
        (row,) = bench.units(kind=kind, labels=labels).select(names).rows()
        return row

    assert view("memorized", "corrupted") == ("fc1", 0.6, 0.2, 0.5, 0.3, 0.95)
    assert view("memorized", "true") == ("fc2", 0.9, 0.4, 0.45, 0.3, 0.95)
    assert view("clean", "corrupted") == ("fc3", 0.7, 0.2, 0.5, 0.95, 0.95)
    assert view("untrained", "corrupted") == ("fc3", 0.5, 0.2, None, 0.1, None)


def test_networks_that_did_not_memorize_are_a_view_of_their_own(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8).cell(0.7, 0.5, 0.8, seed=1, memorized=False)
    bench.decode({"fc2": (0.9, 0.3), "fc1": (0.5, 0.7)}, seed=1, memorized=False, decoder="other")
    bench.decode({"fc3": (0.5, 0.55)}, **UNTRAINED, seed=1)
    bench.decode({"fc1": (0.5, 0.9)}, kind="clean", memorized=False, seed=1)
    names = ("seed", "decoder", "layer", "decoded", "untrained", "clean", "readout", "ceiling")
    found = bench.units(kind="unmemorized").select(names).rows()
    assert found == [
        (1, "masc", "fc1", 0.7, 0.55, None, 0.5, 0.8),
        (1, "other", "fc2", 0.3, None, None, 0.5, 0.8),
    ]
    assert bench.units().select(names).rows() == [(0, "masc", "fc1", 0.6, None, None, 0.4, 0.8)]
    assert bench.units(kind="clean").is_empty()
    lost = bench.units(kind="unmemorized-clean")
    assert lost.select("seed", "decoded", "ceiling").rows() == [(1, 0.9, 0.8)]


def test_points_that_decoders_are_fitted_on_are_views_of_their_own(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8, control=0.5)
    bench.decode({"fc2": (0.5, 0.7)}, fitted_on="held_out")
    bench.decode({"fc3": (0.5, 0.75)}, fitted_on="both")
    early = {"decoder": "early-stopped", "layer": "*", "layer_index": None, "layer_depth": None}
    bench.rows.append(bench.make(**early, test_accuracy=0.55, validation_accuracy=None))
    names = ("decoder", "layer", "decoded", "readout", "control")

    def view(fitted_on: str) -> list[tuple[object, ...]]:
        return bench.units(fitted_on=fitted_on).select(names).rows()

    beside = ("early-stopped", "*", 0.55, 0.4, 0.5)
    assert view("training") == [beside, ("masc", "fc1", 0.6, 0.4, 0.5)]
    assert view("held_out") == [beside, ("masc", "fc2", 0.7, 0.4, 0.5)]
    assert view("both") == [beside, ("masc", "fc3", 0.75, 0.4, 0.5)]


def test_bits_stand_beside_their_accuracies(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8, control=0.5)
    (row,) = bench.units().iter_rows(named=True)
    for name in ("decoded", "control", "readout", "ceiling"):
        bits = np.unpackbits(np.frombuffer(row[f"{name}_bits"], np.uint8), count=200)
        assert bits.mean() == pytest.approx(row[name])


# property


def big_bench(bench: Bench) -> Bench:
    """Two models, two rates, three seeds, two decoders and all kinds; every mean is exact."""
    rng = random.Random(5)

    def profile() -> Profile:
        return {layer: (rng.randrange(64) / 64, rng.randrange(64) / 64) for layer in DEPTHS}

    for model in ("mlp", "cnn"):
        for seed in range(4):
            own = {"model": model, "seed": seed}
            bench.clean_readout(0.875, **own)
            for rate in (0.25, 0.5):
                bench.readout(rng.randrange(32) / 64, **own, rate=rate)
                for decoder in ("masc", "ncm") if model == "mlp" else ():
                    accuracies = rng.randrange(64) / 64, rng.randrange(64) / 64
                    bench.features(*accuracies, seed=seed, rate=rate, decoder=decoder)
                for kind in ("memorized", "clean", "untrained", "random"):
                    order = {"order_seed": None} if kind == "untrained" else {}
                    for decoder in ("masc", "ncm"):
                        kinds = {"kind": kind, "decoder": decoder, "rate": rate, **order}
                        bench.decode(profile(), **own, **kinds)
    return bench


@settings(max_examples=20)
@given(order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    order: random.Random, new_bench: Callable[[], Bench]
) -> None:
    readings = frame(big_bench(new_bench()).rows)
    index = list(range(readings.height))
    order.shuffle(index)
    expected, found = units(current(readings)), units(current(readings[index]))
    assert_frame_equal(found, expected)
    assert_frame_equal(rank(found).board, rank(expected).board)
    assert_frame_equal(rank(found).differences, rank(expected).differences)
