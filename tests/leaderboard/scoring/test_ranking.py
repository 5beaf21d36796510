"""The board: excess, shares, ranks and ties, coverage, and who is not ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memgen_leaderboard.scoring.ranking import by_rate, cell_means, rank

if TYPE_CHECKING:
    from collections.abc import Callable

    from helpers.readings import Bench, Row
# excess, and its share of the headroom


def test_excess_is_a_mean_over_cells_and_its_share_a_ratio_of_sums(bench: Bench) -> None:
    bench.cell(0.7, 0.2, 0.9, control=0.5)
    bench.cell(0.8, 0.2, 0.9, control=0.7, rate=0.2)
    bench.cell(0.7, 0.2, 0.9, control=0.7, rate=0.2, seed=1)
    row = bench.board()["masc"]
    assert row["excess"] == pytest.approx((0.2 + 0.05) / 2)
    assert row["share"] == pytest.approx((0.2 + 0.05) / (0.4 + 0.2))
    assert row["control"] == pytest.approx(0.6)


@pytest.mark.parametrize(("decoded", "share"), [(0.3, -0.5), (1.0, 3.0), (0.4, 0.0)])
def test_the_share_is_not_clipped(decoded: float, share: float, bench: Bench) -> None:
    bench.cell(decoded, 0.1, 0.6, control=0.4)
    assert bench.board()["masc"]["share"] == pytest.approx(share)


def test_void_cells_have_an_excess_and_no_share(bench: Bench) -> None:
    bench.cell(0.7, 0.2, 0.9, control=0.5)
    bench.cell(0.9, 0.2, 0.9, control=0.885, rate=0.2)  # 1.5 points of headroom
    row = bench.board()["masc"]
    assert row["excess"] == pytest.approx((0.2 + 0.015) / 2)
    assert row["share"] == pytest.approx(0.2 / 0.4)
    found = cell_means(bench.units()).sort("rate").select("rate", "is_void").rows()
    assert found == [(0.2, True), (0.4, False)]


def test_a_cell_of_just_two_points_is_not_void(bench: Bench) -> None:
    bench.cell(0.9, 0.2, 0.92, control=0.9)
    assert bench.board()["masc"]["share"] == pytest.approx(0.0)


def test_excess_needs_no_ceiling(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.7)}).readout(0.2).features(0.5)
    bench.clean_readout(0.9, memorized=False)
    row = bench.board()["masc"]
    assert (row["excess"], row["rank"]) == (pytest.approx(0.2), 1)
    assert (row["share"], row["recovery"]) == (None, None)


def test_without_a_control_nothing_is_ranked(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.7)}).readout(0.2).clean_readout(0.9)
    row = bench.board()["masc"]
    assert (row["excess"], row["share"], row["rank"]) == (None, None, None)
    assert row["recovery"] == pytest.approx(0.5 / 0.7)


# recovery


def test_recovery_is_a_ratio_of_sums_over_cells(bench: Bench) -> None:
    bench.cell(0.7, 0.5, 0.9)
    bench.cell(0.9, 0.8, 0.9, rate=0.2)
    # Not the mean of the ratios, which is 0.75.
    assert bench.board()["masc"]["recovery"] == pytest.approx((0.2 + 0.1) / (0.4 + 0.1))


@pytest.mark.parametrize(("decoded", "recovery"), [(0.3, -0.5), (1.0, 3.0), (0.4, 0.0)])
def test_recovery_is_not_clipped(decoded: float, recovery: float, bench: Bench) -> None:
    bench.cell(decoded, 0.4, 0.6)
    assert bench.board()["masc"]["recovery"] == pytest.approx(recovery)


def test_recovery_needs_two_points_of_headroom(bench: Bench) -> None:
    bench.cell(0.9, 0.5, 0.515)
    row = bench.board()["masc"]
    assert (row["recovery"], row["decoded"]) == (None, 0.9)


@settings(max_examples=20)
@given(shift=st.integers(-16, 16).map(lambda sixteenths: sixteenths / 64))
def test_recovery_does_not_feel_what_all_accuracies_gain(
    shift: float, new_bench: Callable[[], Bench]
) -> None:
    def recovery(plus: float) -> float:
        bench = new_bench()
        for seed, (decoded, readout, ceiling) in enumerate([(0.5, 0.3, 0.7), (0.4, 0.35, 0.6)]):
            bench.cell(decoded + plus, readout + plus, ceiling + plus, seed=seed)
        found: float = bench.board()["masc"]["recovery"]
        return found

    assert recovery(shift) == pytest.approx(recovery(0.0))


# ranks


def test_decoders_are_ranked_by_excess(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8)
    bench.decode({"fc1": (0.5, 0.7)}, decoder="better")
    bench.decode({"fc1": (0.5, 0.3)}, decoder="worse")
    bench.decode({"fc1": (0.5, 0.6)}, decoder="equal")
    ranks = {name: (row["rank"], row["last_rank"]) for name, row in bench.board().items()}
    expected = {"better": (1, 1), "equal": (2, 3), "masc": (2, 3), "worse": (4, 4)}
    assert list(ranks.items()) == list(expected.items())


def test_decoders_that_cannot_be_told_apart_share_a_rank(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8)
    bench.decode({"fc1": (0.5, 0.605)}, decoder="hardly")
    bench.decode({"fc1": (0.5, 0.8)}, decoder="clearly")
    ranks = {name: (row["rank"], row["last_rank"]) for name, row in bench.board().items()}
    assert ranks == {"clearly": (1, 1), "hardly": (2, 3), "masc": (2, 3)}


def test_luck_of_the_seeds_is_no_rank(bench: Bench) -> None:
    """On the images alone `other` is significantly better; over seeds it is not."""
    for seed, other in enumerate((0.95, 0.6, 0.62, 0.58)):
        bench.cell(0.6, 0.4, 0.98, seed=seed)
        bench.decode({"fc1": (0.5, other)}, seed=seed, decoder="other")
    units = bench.units()
    assert rank(units.filter(pl.col("seed") == 0)).differences["p_holm"][0] < 0.001
    found = rank(units)
    assert found.differences["p_holm"][0] > 0.2
    assert found.board["rank"].to_list() == [1, 1]
    assert found.board["last_rank"].to_list() == [2, 2]


def test_pairs_are_compared_on_the_same_images(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.9)
    bench.decode({"fc1": (0.5, 0.7)}, decoder="other")
    (pair,) = rank(bench.units()).differences.iter_rows(named=True)
    assert (pair["decoder"], pair["other"]) == ("other", "masc")
    assert pair["difference"] == pytest.approx(0.1)
    apart = np.r_[np.ones(20), np.zeros(180)]  # other is right wherever masc is, and on 20 more
    error = apart.std(ddof=1) / np.sqrt(200)
    assert pair["half_width"] == pytest.approx(1.972 * error, rel=1e-3)
    assert pair["p_value"] == pair["p_holm"] < 1e-4
    assert pair["interval"] == "test images"


def test_of_many_pairs_some_are_below_5_percent_by_chance_and_no_rank(bench: Bench) -> None:
    rng = np.random.default_rng(0)
    bench.cell(0.6, 0.4, 0.9)
    for place in range(12):
        right = rng.random(200) < 0.6
        reading = {"test_correct": np.packbits(right).tobytes(), "decoder": f"d{place}"}
        bench.decode({"fc1": (0.5, float(right.mean()))}, **reading)
    found = rank(bench.units())
    assert found.differences["p_value"].min() < 0.05  # type: ignore[operator]
    assert set(found.board["rank"]) == {1}


@pytest.mark.parametrize("flag", [{"memorized": False}, {"rankable": False}])
def test_networks_that_do_not_qualify_are_left_out(flag: Row, bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8, seed=0)
    bench.cell(0.2, 0.1, 0.8, seed=1, **flag)
    row = bench.board()["masc"]
    assert (row["ok"], row["planned"], row["decoded"], row["coverage"]) == (1, 1, 0.6, 1.0)


def test_a_rate_that_cannot_be_ranked_is_shown_by_rate(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8)
    bench.cell(0.1, 0.1, 0.8, rate=1.0, rankable=False)
    bench.cell(0.9, 0.9, 0.8, seed=1, rate=0.2, memorized=False)
    rates = by_rate(bench.units()).select("rate", "decoded", "rankable").rows()
    assert rates == [(0.4, 0.6, True), (1.0, 0.1, False)]


def test_coverage_below_95_percent_is_not_ranked(bench: Bench) -> None:
    for seed in range(20):
        bench.cell(0.5, 0.4, 0.8, seed=seed)
        for decoder, covered in (("most", 19), ("few", 18)):
            if seed < covered:
                bench.decode({"fc1": (0.5, 0.9)}, seed=seed, decoder=decoder)
    board = bench.board()
    assert {name: row["rank"] for name, row in board.items()} == {"most": 1, "masc": 2, "few": None}
    counts = {name: (row["ok"], row["planned"]) for name, row in board.items()}
    assert counts == {"most": (19, 20), "masc": (20, 20), "few": (18, 20)}
    assert list(board)[-1] == "few"


def test_ranked_decoders_are_compared_on_their_common_support(bench: Bench) -> None:
    for seed in range(20):
        bench.cell(0.5 if seed else 0.9, 0.4, 0.9, seed=seed)
        if seed:
            bench.decode({"fc1": (0.5, 0.6)}, seed=seed, decoder="most")
    bench.decode({"fc1": (0.5, 0.8)}, seed=0, decoder="rare")
    board = bench.board()
    accuracies = {name: row["decoded"] for name, row in board.items()}
    assert accuracies == pytest.approx({"most": 0.6, "masc": 0.5, "rare": 0.8})
    assert board["masc"]["recovery"] == pytest.approx(0.2)
    assert (board["masc"]["ok"], board["rare"]["rank"]) == (20, None)


def test_networks_that_were_planned_and_failed_count_against_coverage(bench: Bench) -> None:
    bench.cell(0.5, 0.4, 0.8)
    (row,) = rank(bench.units(), planned=2).board.iter_rows(named=True)
    assert (row["ok"], row["planned"], row["coverage"], row["rank"]) == (1, 2, 0.5, None)
    assert row["excess"] == pytest.approx(0.1)


def test_a_cell_without_a_control_is_left_out_of_the_comparison(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8)
    bench.decode({"fc1": (0.5, 0.9)}, rate=0.2).readout(0.4, rate=0.2)
    row = bench.board()["masc"]
    assert (row["rank"], row["excess"], row["decoded"]) == (1, pytest.approx(0.2), 0.6)


def test_a_view_without_ranks_has_none(bench: Bench) -> None:
    bench.cell(0.5, 0.4, 0.8)
    bench.decode({"fc1": (0.5, 0.8)}, decoder="better")
    found = rank(bench.units(), ranked=False)
    assert found.board["rank"].to_list() == [None, None]
    assert found.board["decoder"].to_list() == ["better", "masc"]
    assert found.differences.is_empty()


def test_without_a_control_decoders_are_sorted_by_accuracy(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.4)}).decode({"fc1": (0.5, 0.8)}, decoder="better").readout(0.3)
    board = bench.board()
    assert list(board) == ["better", "masc"]
    assert {row["rank"] for row in board.values()} == {None}


def test_no_units_are_an_empty_board(bench: Bench) -> None:
    bench.cell(0.1, 0.1, 0.8, rankable=False)
    found = rank(bench.units())
    assert (found.board.height, found.differences.height) == (0, 0)


def test_a_decoder_that_is_told_the_noise_is_not_ranked(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8)
    bench.decode({"fc1": (0.5, 0.75)}, decoder="told", told_noise=True)
    board = bench.board()
    assert (board["told"]["rank"], board["masc"]["rank"]) == (None, 1)
    assert board["told"]["recovery"] == pytest.approx(0.875)
    assert board["told"]["excess_half_width"] > 0


def test_early_stopping_is_a_reference_and_not_ranked(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8)
    bench.decode({"fc1": (0.5, 0.75)}, decoder="early-stopped")
    bench.decode({"fc1": (0.5, 0.77)}, decoder="best-epoch", saw_test=True)
    board = bench.board()
    ranks = {name: row["rank"] for name, row in board.items()}
    assert ranks == {"masc": 1, "best-epoch": None, "early-stopped": None}
    assert board["early-stopped"]["excess"] == pytest.approx(0.35)


def test_a_decoder_that_is_told_the_noise_narrows_no_support(bench: Bench) -> None:
    for seed in range(20):
        bench.cell(0.6, 0.4, 0.8, seed=seed)
        if seed:
            bench.decode({"fc1": (0.5, 0.8)}, decoder="told", told_noise=True, seed=seed)
    row = bench.board()["masc"]
    assert (row["ok"], row["rank"]) == (20, 1)


def test_an_excess_has_the_interval_of_a_paired_difference(bench: Bench) -> None:
    bench.cell(0.75, 0.5, 1.0, control=0.6)
    row = bench.board()["masc"]
    apart = np.r_[np.ones(30), np.zeros(170)]  # right wherever the control is, and on 30 more
    error = apart.std(ddof=1) / np.sqrt(200)
    assert row["excess_half_width"] == pytest.approx(1.972 * error, rel=1e-3)
    assert row["p_holm"] < 1e-6


def test_p_values_of_an_excess_are_corrected_for_all_ranked_decoders(bench: Bench) -> None:
    bench.cell(0.52, 0.4, 1.0, control=0.5)
    alone = bench.board()["masc"]["p_holm"]
    bench.decode({"fc1": (0.5, 0.52)}, decoder="same")
    bench.decode({"fc1": (0.5, 0.9)}, decoder="told", told_noise=True)
    board = bench.board()
    assert board["masc"]["p_holm"] == pytest.approx(2 * alone)
    assert board["told"]["p_holm"] is None
