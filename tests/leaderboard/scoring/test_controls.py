"""Which reading is the control of a cell: of which source, decoder, layer and fitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memgen_leaderboard.scoring.controls import NAME, control_readings
from memgen_leaderboard.scoring.units import current

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

from helpers.readings import Bench, Row, frame

UNTRAINED = {"kind": "untrained", "memorized": None, "order_seed": None}
RANDOM = {"kind": "random"}


def found(bench: Bench, **view: Any) -> pl.DataFrame:
    readings = current(frame(bench.rows))
    how = {"labels": "corrupted", "fitted_on": "training"} | view
    return control_readings(readings, bench.units(**view), **how)


def named(bench: Bench, **view: Any) -> list[tuple[Any, ...]]:
    """Return name and accuracy of the control of each unit."""
    best = found(bench, **view).filter("is_best")
    return best.select(*NAME, "test_accuracy").rows()


@pytest.fixture
def one(bench: Bench) -> Bench:
    """One network and a reading of each source."""
    bench.decode({"fc1": (0.9, 0.9)})
    bench.features(0.5, 0.5).features(0.6, 0.6, model="patches/400", decoder="ridge")
    bench.decode({"fc1": (0.5, 0.3), "fc2": (0.7, 0.4)}, **UNTRAINED)
    return bench.decode({"fc3": (0.65, 0.8)}, **RANDOM)


def test_it_is_the_best_on_validation_of_all_sources_and_layers(one: Bench) -> None:
    assert named(one) == [("untrained", "training", "masc", "fc2", 0.4)]
    of_sources = found(one).select("source", "test_accuracy", "among", "is_best").rows()
    assert of_sources == [
        ("patches/400", 0.6, 1, False),
        ("pixels", 0.5, 1, False),
        ("random", 0.8, 1, False),
        ("untrained", 0.4, 2, True),
    ]


def test_it_is_of_any_decoder_the_network_was_read_by_or_not(one: Bench) -> None:
    one.features(0.7, 0.8, decoder="spreading")
    assert named(one) == [("pixels", "training", "spreading", "features", 0.7)]


@pytest.mark.parametrize(
    "column",
    [
        {"told_noise": True},
        {"saw_test": True},
        {"status": "failed"},
        {"labels": "true"},
        {"rate": 0.6},
        {"noise": "flip"},
        {"noise_seed": 7},
        {"seed": 3},
        {"dataset": "usps"},
        {"train_count": 10},
        {"max_layer_dim": 7},
        {"fitted_on": "held_out"},
        {"decoder": "early-stopped"},
        {"decoder": "readout"},
    ],
)
def test_what_others_were_read_from_or_told_is_no_control(column: Row, one: Bench) -> None:
    before = named(one)
    assert named(one.features(0.9, 0.99, **{"decoder": "other", **column})) == before


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        *((UNTRAINED, {name: 5}) for name in ("seed", "init_seed")),
        *((RANDOM, {name: 5}) for name in ("seed", "init_seed", "order_seed")),
        (UNTRAINED, {"model": "cnn"}),
        (RANDOM, {"model": "cnn"}),
        ({"kind": "clean"}, {}),
        ({"kind": "memorized", "memorized": False}, {"seed": 1}),
    ],
)
def test_networks_of_other_seeds_or_with_true_labels_are_no_control(
    kind: Row, column: Row, one: Bench
) -> None:
    before = named(one)
    own = dict.fromkeys(("noise_seed", "init_seed", "order_seed"), 0)
    assert named(one.decode({"fc1": (0.99, 0.99)}, **{**own, **kind, **column})) == before


def test_a_network_of_random_labels_that_did_not_memorize_is_a_control(one: Bench) -> None:
    one.decode({"fc1": (0.8, 0.1)}, **RANDOM, memorized=False, decoder="ncm")
    assert named(one) == [("random", "training", "ncm", "fc1", 0.1)]


def test_the_seeds_of_a_cell_choose_together(bench: Bench) -> None:
    for seed, (first, second) in enumerate([(0.9, 0.6), (0.2, 0.6)]):
        bench.decode({"fc1": (0.5, 0.5)}, seed=seed)
        bench.features(0.1 + seed / 10, first, seed=seed, decoder="a")
        bench.features(0.3 + seed / 10, second, seed=seed, decoder="b")
    assert [row[2:] for row in named(bench)] == [
        ("b", "features", 0.3),
        ("b", "features", pytest.approx(0.4)),
    ]


def test_it_was_read_in_all_networks_of_the_cell(bench: Bench) -> None:
    for seed in range(3):
        bench.decode({"fc1": (0.5, 0.5)}, seed=seed).features(0.3, 0.3, seed=seed)
    bench.features(0.9, 0.9, decoder="rare")
    assert {row[2] for row in named(bench)} == {"masc"}


def test_each_cell_has_its_own(bench: Bench) -> None:
    for rate, best in ((0.2, "a"), (0.6, "b")):
        bench.decode({"fc1": (0.5, 0.5)}, rate=rate)
        for decoder in "ab":
            bench.features(0.3, 0.6 if decoder == best else 0.5, rate=rate, decoder=decoder)
    assert [row[2] for row in named(bench)] == ["a", "b"]


def test_models_of_one_data_set_share_the_features(bench: Bench) -> None:
    for model in ("mlp", "cnn"):
        bench.decode({"fc1": (0.5, 0.5)}, model=model)
    assert [row[0] for row in named(bench.features(0.3))] == ["pixels", "pixels"]


def test_without_validation_there_is_none(bench: Bench) -> None:
    bench.decode({"fc1": (None, 0.5)}).features(0.4, None)  # type: ignore[arg-type]
    assert named(bench) == []
    assert bench.units()["control"].to_list() == [None]


def test_who_has_held_out_points_has_all_other_labels_too(bench: Bench) -> None:
    for points, accuracy in (("training", 0.5), ("held_out", 0.6), ("both", 0.7)):
        bench.decode({"fc1": (0.5, 0.9)}, fitted_on=points)
        bench.features(accuracy, 1 - accuracy, fitted_on=points)
    for points in ("training", "held_out", "both"):
        assert named(bench, fitted_on=points) == [("pixels", "training", "masc", "features", 0.5)]
    bench.features(0.8, 0.9, fitted_on="both", decoder="ncm")
    assert named(bench)[0][1] == "training"
    for points in ("held_out", "both"):
        assert named(bench, fitted_on=points)[0][1:3] == ("both", "ncm")


def test_on_true_labels_a_control_has_no_draw(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.9)}, labels="true")
    at_zero = {"rate": 0.0, "noise": None, "noise_seed": None, "labels": "true"}
    bench.features(0.7, 0.7, **at_zero).decode({"fc2": (0.6, 0.6)}, **UNTRAINED, **at_zero)
    assert named(bench, labels="true") == [("pixels", "training", "masc", "features", 0.7)]


ACCURACY = st.integers(0, 20).map(lambda hits: hits / 20)


@settings(max_examples=40)
@given(tests=st.lists(ACCURACY, min_size=6, max_size=6), data=st.data())
def test_test_accuracies_never_move_the_control(
    tests: list[float], data: st.DataObject, new_bench: Callable[[], Bench]
) -> None:
    validations = data.draw(st.lists(ACCURACY, min_size=6, max_size=6))

    def names(on_test: list[float]) -> list[tuple[str, ...]]:
        bench = new_bench().decode({"fc1": (0.5, 0.5)})
        for place, (validation, test) in enumerate(zip(validations, on_test, strict=True)):
            source = (UNTRAINED, RANDOM)[place % 2]
            bench.decode({"fc1": (validation, test)}, **source, decoder=f"d{place}")
        return found(bench).select(*NAME, "is_best").rows()

    assert names(tests) == names([0.5] * 6)
