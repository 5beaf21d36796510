"""Published numbers: tidy, as the papers print them, and beside one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.readings import frame
from memgen_leaderboard.scoring.published import best_layers, compare, read_published, references
from memgen_leaderboard.scoring.units import current

if TYPE_CHECKING:
    import polars as pl

    from helpers.readings import Bench

PUBLISHED = read_published()
BEST = best_layers(PUBLISHED)


def published(model: str, dataset: str, rate: float) -> dict[str, float]:
    kind = "memorized" if rate else "clean"
    cell = BEST.filter(model=f"paper-{model}", dataset=dataset, rate=rate, kind=kind)
    return {decoder: round(100 * a, 1) for decoder, a in cell.select("decoder", "accuracy").rows()}


def test_every_number_is_named_and_there_once() -> None:
    names = ["paper", "part", "model", "dataset", "noise", "kind", "decoder", "layer", "split"]
    assert PUBLISHED.select(names).null_count().sum_horizontal().item() == 0
    where = PUBLISHED.drop("accuracy", "epoch", "repeats", "fit_seconds", "predict_seconds")
    assert not where.is_duplicated().any()
    assert PUBLISHED["accuracy"].is_between(0, 1).all()
    assert PUBLISHED["repeats"].sum() == 11_673  # the rows that were reported


@pytest.mark.parametrize(
    ("model", "dataset", "rate", "expected"),
    [
        ("cnn", "fashion-mnist", 0.8, {"readout": 25.6, "masc": 74.9, "lda": 80.9, "qda": 76.3}),
        ("cnn", "cifar10", 0.4, {"readout": 46.2, "masc": 49.0, "velpic": 60.4, "knn-5": 54.9}),
        ("mlp", "mnist", 0.8, {"readout": 31.2, "masc": 80.3, "masc-75": 92.1, "velpic": 84.4}),
        ("alexnet", "cifar100", 0.2, {"readout": 28.4, "masc": 38.0, "lda": 36.7}),
        ("resnet18", "cifar10", 0.6, {"readout": 34.5, "masc": 57.7}),
    ],
)
def test_numbers_are_those_of_the_papers(
    model: str, dataset: str, rate: float, expected: dict[str, float]
) -> None:
    found = published(model, dataset, rate)
    assert {decoder: found[decoder] for decoder in expected} == pytest.approx(expected, abs=0.11)


def test_the_layer_is_the_best_of_the_networks_own() -> None:
    assert "input" not in BEST["layer"].to_list()
    cell = {"model": "paper-cnn", "dataset": "fashion-mnist", "rate": 0.8, "decoder": "masc"}
    (row,) = BEST.filter(kind="memorized", **cell).iter_rows(named=True)
    assert (row["layer"], row["runs"]) == ("flatten", 3)
    assert row["low"] <= row["accuracy"] <= row["high"]


def test_references_are_a_ratio_of_sums_over_the_rates() -> None:
    (row,) = (
        references(BEST, [0.2, 0.8])
        .filter(model="paper-cnn", dataset="fashion-mnist", decoder="masc")
        .iter_rows(named=True)
    )
    low, high = (published("cnn", "fashion-mnist", rate) for rate in (0.2, 0.8))
    gained = low["masc"] - low["readout"] + high["masc"] - high["readout"]
    ceiling = published("cnn", "fashion-mnist", 0.0)["readout"]
    headroom = 2 * ceiling - low["readout"] - high["readout"]
    assert row["recovery"] == pytest.approx(gained / headroom, abs=2e-3)
    assert row["oracle"] == pytest.approx((low["masc"] + high["masc"]) / 200, abs=1e-3)


def test_a_rate_that_was_not_published_has_no_references() -> None:
    assert references(BEST, [0.2, 0.3]).is_empty()


def readings(bench: Bench) -> pl.DataFrame:
    return current(frame(bench.rows))


def paper_cnn(bench: Bench) -> Bench:
    """MASC at 0.8: published 74.9, 74.5 to 75.5 over the runs; the readout 25.6."""
    for seed, (masc, readout) in enumerate(((0.74, 0.26), (0.77, 0.27))):
        own = {"model": "paper-cnn", "dataset": "fashion-mnist", "seed": seed}
        bench.decode({"fc1": (0.5, 0.6), "fc2": (0.4, masc)}, rate=0.8, **own)
        bench.decode({"fc1": (0.5, 0.5)}, rate=0.8, decoder="mine", **own)
        bench.readout(readout, rate=0.8, **own).clean_readout(0.9, **own)
    return bench


def test_own_and_published_stand_side_by_side(bench: Bench) -> None:
    found = compare(readings(paper_cnn(bench)), BEST)
    rows = {(row["decoder"], row["rate"]): row for row in found.iter_rows(named=True)}
    assert set(rows) == {("readout", 0.0), ("masc", 0.8), ("readout", 0.8)}
    masc = rows["masc", 0.8]
    own = (masc["own"], masc["own_low"], masc["own_high"], masc["seeds"])
    assert own == (pytest.approx(0.755), 0.74, 0.77, 2)  # at the layer that is best on test
    assert masc["published"] == pytest.approx(0.749, abs=5e-4)
    assert masc["difference"] == pytest.approx(0.006, abs=5e-4)
    assert (masc["inside"], masc["runs"], masc["train_count"]) == (True, 3, 300)
    assert rows["readout", 0.8]["inside"] is False
    assert rows["readout", 0.0]["own"] == pytest.approx(0.9)


def test_one_seed_has_no_spread_to_lie_in(bench: Bench) -> None:
    found = compare(readings(paper_cnn(bench)).filter(seed=0), BEST)
    assert found["inside"].to_list() == [None] * 3


def test_networks_of_all_kinds_are_compared_with_their_like(bench: Bench) -> None:
    own = {"model": "paper-cnn", "dataset": "fashion-mnist"}
    at_zero = {"rate": 0.0, "noise": None, "noise_seed": None, "labels": "true"}
    bench.decode({"fc1": (0.5, 0.66)}, kind="untrained", memorized=None, rate=0.8, **own)
    bench.decode({"fc1": (0.5, 0.67)}, kind="untrained", memorized=None, **at_zero, **own)
    bench.decode({"fc1": (0.5, 0.90)}, kind="clean", **at_zero, **own)
    bench.decode({"fc1": (0.5, 0.85)}, kind="clean", rate=0.8, **own)  # nobody published that
    bench.decode({"fc1": (0.5, 0.75)}, rate=0.8, **own)
    bench.decode({"fc1": (0.5, 0.95)}, rate=0.8, labels="true", **own)  # nor is that looked at
    found = compare(readings(bench), BEST)
    wanted = ("kind", "rate", "own", "published")
    rows = {(kind, rate): (a, round(b, 3)) for kind, rate, a, b in found.select(wanted).rows()}
    assert rows == {
        ("clean", 0.0): (0.90, 0.904),
        ("memorized", 0.8): (0.75, 0.749),
        ("untrained", 0.0): (0.67, 0.678),
        ("untrained", 0.8): (0.66, 0.618),
    }


def test_networks_that_did_not_memorize_are_compared_and_counted(bench: Bench) -> None:
    own = {"model": "paper-cnn", "dataset": "fashion-mnist", "rate": 0.8}
    for seed, memorized in enumerate((True, False, False)):
        bench.decode({"fc1": (0.5, 0.7)}, seed=seed, memorized=memorized, **own)
    (row,) = compare(readings(bench), BEST).iter_rows(named=True)
    assert (row["seeds"], row["memorized"]) == (3, 1)


def test_what_nobody_published_is_not_compared(bench: Bench) -> None:
    assert compare(readings(bench.cell(0.6, 0.4, 0.9)), BEST).is_empty()


def test_models_and_data_sets_have_the_names_of_the_catalogue() -> None:
    from memgen_bench import load_registry

    registry = load_registry()
    assert [m for m in PUBLISHED["model"].unique() if m not in registry.models] == []
    assert [d for d in PUBLISHED["dataset"].unique() if d not in registry.datasets] == []
