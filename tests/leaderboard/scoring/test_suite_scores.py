"""From results folders to scores: suites, versions, views, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import memgen_leaderboard
from helpers.readings import FLAT, Bench, planned
from memgen_bench.errors import StoreError, UsageError
from memgen_bench.results import store
from memgen_leaderboard.scoring.suite_scores import View, all_scores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_suite_has_its_own_scores(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    shared = list(bench.rows)
    bench.cell(0.55, 0.4, 0.9, decoder="ncm")
    bench.stored(tmp_path)
    planned(shared, tmp_path, suite="other")
    decoders = {one.title: one.board["decoder"].to_list() for one in all_scores(tmp_path)}
    assert decoders == {"other v1": ["masc"], "toy v1": ["masc", "ncm"]}


def test_versions_of_a_suite_are_never_mixed(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    bench.stored(tmp_path)
    planned(bench.rows, tmp_path, version=2)
    assert [one.title for one in all_scores(tmp_path)] == ["toy v1", "toy v2"]


def test_an_older_protocol_is_left_out_and_counted(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9, seed=0)
    old = len(bench.rows)
    bench.cell(0.55, 0.4, 0.9, seed=1, protocol_version=3)
    (found,) = all_scores(bench.stored(tmp_path))
    assert found.units["seed"].to_list() == [1]
    assert found.outdated == old + 1  # the second ceiling is of the older version, too


def test_a_folder_of_results_folders_has_all_their_suites(
    new_bench: Callable[[], Bench], tmp_path: Path
) -> None:
    for suite in ("b", "a"):
        new_bench().cell(0.65, 0.4, 0.9).stored(tmp_path / suite, suite)
    (tmp_path / "notes").mkdir()
    assert [one.suite for one in all_scores(tmp_path)] == ["a", "b"]


def test_what_no_plan_names_has_no_scores(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    store.write_part(tmp_path, "readings", "net", store.table("readings", bench.rows))
    with pytest.raises(StoreError, match="lacks plans/"):
        all_scores(tmp_path)


def test_what_is_planned_and_not_done_is_counted(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).stored(tmp_path)
    planned([*bench.rows, {"key": "not done yet"}], tmp_path, suite="later")
    assert {one.suite: one.missing for one in all_scores(tmp_path)} == {"later": 1, "toy": 0}


def test_results_without_a_memorized_network_have_no_board(bench: Bench, tmp_path: Path) -> None:
    bench.decode(FLAT, kind="untrained", memorized=None)
    assert all_scores(bench.stored(tmp_path)) == []


def test_networks_that_crashed_count_as_planned(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.cell(0.65, 0.4, 0.9, seed=seed)
    crashed = {"memorized": None, "rankable": None, "train_count": None, "status": "failed"}
    bench.decode({"fc1": (None, None)}, seed=3, **crashed)
    bench.decode({"fc1": (None, None)}, seed=3, **crashed, rate=1.0)  # rates of 1 are not ranked
    bench.cell(0.1, 0.1, 0.9, rate=1.0, rankable=False)
    bench.cell(0.6, 0.4, 0.9, seed=4, memorized=False)
    (found,) = all_scores(bench.stored(tmp_path))
    (row,) = found.board.iter_rows(named=True)
    assert (row["ok"], row["planned"], row["rank"]) == (3, 4, None)


# views


@pytest.fixture
def wide(bench: Bench, tmp_path: Path) -> Path:
    for model in ("mlp", "cnn"):
        for rate, decoded in ((0.2, 0.8), (0.6, 0.6)):
            bench.cell(decoded, 0.4, 0.9, model=model, rate=rate, control=0.5)
    bench.decode({"fc1": (0.5, 0.95)}, labels="true")
    return bench.stored(tmp_path)


def test_a_view_keeps_what_it_names(wide: Path) -> None:
    (found,) = all_scores(wide, [View(rates=(0.2,), models=("cnn",))])
    (row,) = found.board.iter_rows(named=True)
    assert (row["decoded"], row["ok"], row["planned"]) == (0.8, 1, 1)
    assert row["share"] == pytest.approx(0.75)  # the clean network has no rate and still counts
    assert found.by("model")["model"].to_list() == ["cnn"]


def test_several_views_are_shown_one_after_the_other(wide: Path) -> None:
    found = all_scores(wide, [View(), View(labels="true"), View(kind="clean")])
    assert [(one.view.labels, one.view.is_ranked) for one in found] == [
        ("corrupted", True),
        ("true", False),
    ]
    assert found[1].board["rank"].to_list() == [None]
    assert found[1].board["decoded"].to_list() == [0.95]


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (View(rates=(0.3,)), "no rate 0.3 in the results; there are 0.0, 0.2, 0.4, 0.6"),
        (View(models=("mlp", "vit")), "no model vit in the results; there are cnn, mlp, pixels"),
        (
            View(kind="untrained"),
            "no kind untrained in the results; there are clean, features, memorized",
        ),
        (View(datasets=("mnist",)), "no dataset mnist in the results; there are digits"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(view: View, says: str, wide: Path) -> None:
    with pytest.raises(UsageError, match=says):
        all_scores(wide, [view])


# pairs and cells


def test_each_model_on_a_data_set_has_a_board_of_its_own(bench: Bench, tmp_path: Path) -> None:
    for model, decoded in (("mlp", 0.8), ("cnn", 0.5)):
        for rate in (0.2, 0.6):
            bench.cell(decoded, 0.4, 0.9, model=model, rate=rate, control=0.6)
    (found,) = all_scores(bench.stored(tmp_path))
    assert [one.board["excess"][0] for one in found.of_pairs] == pytest.approx([-0.1, 0.2])
    rows = found.summary.select("model", "dataset", "decoder", "excess", "share").rows()
    assert [row[:3] for row in rows] == [("cnn", "digits", "masc"), ("mlp", "digits", "masc")]
    assert [row[4] for row in rows] == pytest.approx([-1 / 3, 2 / 3])
    assert found.board["excess"].to_list() == pytest.approx([0.05])


def test_a_cell_has_its_control_with_its_name_and_the_references(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.7, 0.4, 0.9, control=0.5).features(0.6, 0.9, model="patches/400", decoder="ridge")
    bench.decode({"fc1": (0.5, 0.65)}, decoder="early-stopped")
    (found,) = all_scores(bench.stored(tmp_path))
    (cell,) = found.cells.iter_rows(named=True)
    name = tuple(cell[column] for column in ("source", "fitted_on", "decoder", "layer", "among"))
    assert name == ("patches/400", "training", "ridge", "features", 1)
    assert (cell["control"], cell["headroom"], cell["is_void"]) == (0.6, pytest.approx(0.3), False)
    assert (cell["early-stopped"], cell["best-epoch"], cell["networks"]) == (0.65, None, 1)
    sources = found.sources.select("source", "control", "is_best").rows()
    assert sources == [("patches/400", 0.6, True), ("pixels", 0.5, False)]


def test_the_headroom_of_a_suite_is_that_of_all_its_cells(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.7, 0.4, 0.9, control=0.5).cell(0.7, 0.4, 0.9, control=0.88, rate=0.2)
    folder = bench.stored(tmp_path)
    (whole,) = all_scores(folder)
    (part,) = all_scores(folder, [View(rates=(0.2,))])
    assert whole.suite_headroom == pytest.approx(0.21)
    assert part.suite_headroom == whole.suite_headroom
    assert [one.suite_headroom for one in part.of_pairs] == [whole.suite_headroom]


# for notebooks


def test_scores_are_frames(wide: Path) -> None:
    found = memgen_leaderboard.scores(wide, models=["mlp"], rates=[0.2, 0.6])
    assert found.board["decoder"].to_list() == ["masc"]
    assert found.units.height == 2
    assert found.rates["rate"].to_list() == [0.2, 0.6]
    assert found.by("noise", "rate").select("rate", "decoded").rows() == [(0.2, 0.8), (0.6, 0.6)]


def test_groups_are_columns_of_units(wide: Path) -> None:
    found = memgen_leaderboard.scores(wide)
    with pytest.raises(UsageError, match=r"no column 'rates' to group by; take rate$"):
        found.by("rates")
    with pytest.raises(UsageError, match=r"no column 'planet' to group by; take .*model, .*rate"):
        found.difference("masc", "masc", ["planet"])
    with pytest.raises(UsageError, match=r"by takes a list, such as by=\['rate'\]"):
        found.difference("masc", "masc", "rate")
    assert found.differences.is_empty()
    assert found.critical_difference is None


def test_one_of_several_suites_is_named(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).stored(tmp_path)
    planned(bench.rows, tmp_path, version=2)
    with pytest.raises(UsageError, match=r"name one suite .*: toy v1, toy v2"):
        memgen_leaderboard.scores(tmp_path)
    assert memgen_leaderboard.scores(tmp_path, "toy v2").version == 2
    with pytest.raises(UsageError, match="name one suite"):
        memgen_leaderboard.scores(tmp_path, "core")
