"""Frames of figures: what a mark on a page or in a paper stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from scipy import stats

from memgen_leaderboard.figures import frames
from memgen_leaderboard.figures.frames import MOST_EPOCHS
from memgen_leaderboard.scoring.suite_scores import Scores, all_scores, decoder_order

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench

UNTRAINED = {"kind": "untrained", "memorized": None, "order_seed": None}


def scores_of(bench: Bench, folder: Path) -> Scores:
    (found,) = all_scores(bench.stored(folder))
    return found


def test_layers_stand_beside_their_controls(bench: Bench, tmp_path: Path) -> None:
    for seed, decoded in enumerate((0.6, 0.7)):
        bench.cell(decoded, 0.4, 0.9, seed=seed, control=0.5)
        bench.decode({"fc1": (0.5, 0.3)}, seed=seed, **UNTRAINED)
        bench.decode({"fc1": (0.5, 0.35)}, seed=seed, kind="random")
    frame = frames.layer_frame(scores_of(bench, tmp_path))
    found = {
        (source, layer): (accuracy, low, high)
        for source, layer, accuracy, low, high in frame.select(
            "source", "layer", pl.col("accuracy", "low", "high").round(9)
        ).iter_rows()
    }
    assert found == {
        ("memorized network", "fc1"): (0.65, 0.6, 0.7),
        ("untrained network", "fc1"): (0.3, 0.3, 0.3),
        ("network of random labels", "fc1"): (0.35, 0.35, 0.35),
        ("features of the images", "pixels"): (0.5, 0.5, 0.5),
        ("readout", None): (0.4, 0.4, 0.4),
        ("ceiling", None): (0.9, 0.9, 0.9),
    }
    assert set(frame["draw"]) == {"ρ 0.4"}
    places = frame.select("layer", "layer_index").drop_nulls().unique().sort("layer_index").rows()
    assert places == [("pixels", 0), ("fc1", 1)]


def test_what_reads_all_layers_at_once_has_no_place_among_layers(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.6, 0.4, 0.9)
    every = bench.make(decoder="ensemble", layer="*", layer_index=None, layer_depth=None)
    bench.rows.append(every)
    scores = scores_of(bench, tmp_path)
    assert "ensemble" in set(scores.board["decoder"])
    assert set(frames.layer_frame(scores)["decoder"].drop_nulls()) == {"masc"}


def test_curves_are_drawn_first_of_decoders_that_all_figures_show(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.6, 0.4, 0.9).decode({"fc1": (0.5, 0.5)}, decoder="worse")
    accuracies = {"validation_accuracy": 0.5, "test_accuracy": 0.8}
    place = {"layer": "*", "layer_index": None, "layer_depth": None}
    bench.rows.append(bench.make(decoder="ensemble", **place, **accuracies))
    scores = scores_of(bench, tmp_path)
    assert decoder_order(scores) == ["ensemble", "masc", "worse"]
    assert frames.drawn_first(scores, 2) == ["masc", "worse"]
    assert frames.drawn_first(scores, 3) == ["masc", "worse", "ensemble"]


def beside_controls(bench: Bench, seeds: int) -> None:
    """Add networks with all controls and references; validation prefers `lda` to `masc`."""
    for seed in range(seeds):
        shift = seed / 100
        bench.cell(0.6 + shift, 0.4, 0.9, seed=seed, control=0.5)
        bench.features(0.55, 0.45, seed=seed, model="patches/100", decoder="ncm")
        for kind, accuracy in ((UNTRAINED, 0.3), ({"kind": "random"}, 0.35)):
            for decoder in ("lda", "masc"):
                profile = {"fc1": (0.4, accuracy + shift), "fc2": (0.9, 0.8)}
                bench.decode(profile, seed=seed, decoder=decoder, **kind)
        bench.decode({"fc1": (0.8, 0.7 + shift)}, seed=seed, decoder="lda")
        bench.decode({"fc1": (0.7, 0.9)}, seed=seed, decoder="better-on-test")
        for decoder in ("early-stopped", "best-epoch"):
            bench.decode({"*": (0.5, 0.6)}, seed=seed, decoder=decoder)


def test_all_controls_stand_beside_what_validation_prefers(bench: Bench, tmp_path: Path) -> None:
    beside_controls(bench, 3)
    frame = frames.controls_frame(scores_of(bench, tmp_path))
    assert frame["decoder"].unique(maintain_order=True).to_list() == ["lda", "masc"]
    one = frame.filter(decoder="lda").select("source", "layer", "what", "accuracy")
    control = "lda on fc2 of the network of random labels"
    assert set(one.with_columns(pl.col("accuracy").round(9)).iter_rows()) == {
        ("memorized network", "fc1", None, 0.71),
        *(("untrained network", layer, None, value) for layer, value in FC.items()),
        *(("network of random labels", layer, None, value) for layer, value in FC_RANDOM.items()),
        ("control", None, control, 0.8),
        ("features of the images", None, "masc on raw pixels", 0.5),
        ("early-stopped", None, None, 0.6),
        ("readout", None, None, 0.4),
        ("ceiling", None, None, 0.9),
    }
    of_control = "control: lda on fc2 of the network of random\nlabels"
    lines = [of_control, "features: masc on raw pixels"]
    assert set(frame["panel"]) == {
        "\n".join([f"{decoder}, ρ 0.4", *lines]) for decoder in ("lda", "masc")
    }


FC, FC_RANDOM = {"fc1": 0.31, "fc2": 0.8}, {"fc1": 0.36, "fc2": 0.8}


@pytest.mark.parametrize("seeds", [2, 3])
def test_intervals_over_the_seeds_need_three(seeds: int, bench: Bench, tmp_path: Path) -> None:
    beside_controls(bench, seeds)
    frame = frames.controls_frame(scores_of(bench, tmp_path))
    row = frame.filter(decoder="lda", source="memorized network").row(0, named=True)
    if seeds == 2:
        assert (row["low"], row["high"]) == (None, None)
        return
    low, high = stats.t.interval(0.95, 2, 0.71, 0.01 / 3**0.5)
    assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))


def test_cells_without_a_control_are_not_beside_one(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.1, 0.12, 0.9, rate=1.0, rankable=False).cell(0.6, 0.4, 0.9)
    frame = frames.controls_frame(scores_of(bench, tmp_path))
    assert set(frame["draw"]) == {"ρ 0.4"}


def test_draws_of_several_noises_name_them(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.6, 0.4, 0.9, noise="flip")
    frame = frames.layer_frame(scores_of(bench, tmp_path))
    assert set(frame["draw"]) == {"flip ρ 0.4", "uniform ρ 0.4"}


def test_excess_by_rate_is_the_boards(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.5, 0.2, 0.9, rate=0.8).cell(0.7, 0.4, 0.9, model="cnn")
    scores = scores_of(bench, tmp_path)
    frame = frames.rate_frame(scores).sort("model", "rate")
    boards = scores.by("dataset", "model", "noise", "rate").sort("model", "rate")
    assert frame["excess"].to_list() == boards["excess"].to_list()
    low, high = frame["low"].to_list(), frame["high"].to_list()
    widths = boards["excess_half_width"].to_list()
    assert [(b - a) / 2 for a, b in zip(low, high, strict=True)] == pytest.approx(widths)
    assert frame.height == 3


def test_the_front_has_who_is_neither_slower_nor_worse(bench: Bench, tmp_path: Path) -> None:
    times = {"fast": (0.5, 1.0), "slow": (0.7, 3.0), "beaten": (0.6, 4.0)}
    bench.cell(0.4, 0.4, 0.9)
    for decoder, (accuracy, seconds) in times.items():
        spent = {"fit_seconds": seconds, "predict_seconds": 0.0}
        bench.decode({"fc1": (0.5, accuracy)}, decoder=decoder, **spent)
    for flag in ("told_noise", "saw_test"):
        spent = {"fit_seconds": 0.1, "predict_seconds": 0.0, flag: True}
        bench.decode({"fc1": (0.5, 0.8)}, decoder=flag, **spent)
    frame = frames.time_frame(scores_of(bench, tmp_path))
    assert frame.filter("front")["decoder"].to_list() == ["fast", "slow"]


def test_names_on_the_front_stand_clear_of_each_other() -> None:
    points = {"a": (0.90, 1.0), "b": (0.895, 0.9), "c": (0.89, 0.4), "d": (0.86, 0.35)}
    times = pl.DataFrame(
        {
            "decoder": [*points, "beaten"],
            "decoded": [*(accuracy for accuracy, _ in points.values()), 0.5],
            "seconds": [*(seconds for _, seconds in points.values()), 2.0],
            "front": [*(True for _ in points), False],
        }
    )
    assert frames.named_on_front(times) == ["a", "c", "d"]


def test_mean_ranks_are_absent_below_eight_data_sets(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    scores = scores_of(bench, tmp_path)
    assert frames.mean_rank_frame(scores) is None
    assert frames.tie_frame(scores).is_empty()


def test_mean_ranks_have_a_place_and_ties_a_bar(bench: Bench, tmp_path: Path) -> None:
    for dataset in "abcdefgh":
        bench.cell(0.5, 0.4, 0.9, dataset=dataset)
        for decoder, accuracy in (("better", 0.6), ("best", 0.7)):
            bench.decode({"fc1": (0.5, accuracy)}, decoder=decoder, dataset=dataset)
    scores = scores_of(bench, tmp_path)
    frame = frames.mean_rank_frame(scores)
    assert frame is not None
    assert frame.rows() == [
        ("best", 1.0, "left", 0),
        ("better", 2.0, "left", 1),
        ("masc", 3.0, "right", 0),
    ]
    assert frames.tie_frame(scores).rows() == [(1.0, 2.0, 0), (2.0, 3.0, 1)]


@pytest.mark.parametrize("epochs", [1, MOST_EPOCHS, 5 * MOST_EPOCHS + 3])
def test_long_training_curves_are_thinned_out_to_their_ends(epochs: int) -> None:
    curve = [epoch / epochs for epoch in range(1, epochs + 1)]
    columns = {name: [curve, []] for name in frames.CURVES.values()}
    networks = pl.DataFrame(
        {"network_id": ["a", "untrained"], "curve_loss": [curve, []], **columns}
    )
    frame = frames.training_frame(networks)
    assert set(frame["network_id"]) == {"a"}
    one = frame.filter(series=next(iter(frames.CURVES)))
    assert one.height <= MOST_EPOCHS + 1
    assert (one["epoch"].min(), one["epoch"].max()) == (1, epochs)
    assert one["accuracy"].to_list() == [epoch / epochs for epoch in one["epoch"]]


def test_all_tested_epochs_of_a_long_training_are_drawn() -> None:
    epochs, tested = 5 * MOST_EPOCHS, (1, 2, 3, 5, 1000)
    curve = [0.5 if epoch in tested else None for epoch in range(1, epochs + 1)]
    columns = {name: [curve] for name in frames.CURVES.values()}
    networks = pl.DataFrame({"network_id": ["a"], "curve_loss": [[0.0] * epochs], **columns})
    frame = frames.training_frame(networks)
    for name in frames.CURVES:
        assert frame.filter(series=name)["epoch"].to_list() == list(tested)
