"""Two decoders against each other: differences, accuracies and verdicts, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memgen_bench.errors import UsageError
from memgen_leaderboard.scoring.suite_scores import all_scores
from memgen_leaderboard.tables.pairwise import pairwise_frame, pairwise_table

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench
    from memgen_leaderboard.scoring.suite_scores import Scores


@pytest.fixture
def scores(bench: Bench, tmp_path: Path) -> Scores:
    """Scores of three seeds of two models, one of which has no `ncm` for a seed."""
    for seed in range(3):
        for model, ncm in (("mlp", 0.5), ("cnn", 0.7)):
            own: dict[str, Any] = {"seed": seed, "model": model}
            bench.cell(0.6 + 0.01 * seed, 0.4, 0.9, **own)
            if (seed, model) != (2, "cnn"):
                bench.decode({"fc1": (0.5, ncm + 0.01 * seed)}, decoder="ncm", **own)
    (found,) = all_scores(bench.stored(tmp_path))
    return found


def test_each_cell_each_pair_and_all_have_a_row(scores: Scores) -> None:
    found = pairwise_frame(scores, "masc", "ncm")
    assert found.select("model", "rate", "networks").rows() == [
        *(("cnn", 0.4, 2), ("cnn", None, 2), ("mlp", 0.4, 3), ("mlp", None, 3), (None, None, 5)),
    ]
    cnn, _, mlp, _, whole = found.iter_rows(named=True)
    assert (cnn["own"], cnn["other"]) == pytest.approx((0.605, 0.705))
    assert (mlp["own"], mlp["other"]) == pytest.approx((0.61, 0.51))
    for row in (cnn, mlp, whole):
        assert row["difference"] == pytest.approx(row["own"] - row["other"])
    assert all(found["half_width"] > 0)


def test_the_table_says_who_reads_more(scores: Scores) -> None:
    shown = pairwise_table(scores, "masc", "ncm")
    place = shown.columns.index("reads more")
    assert [row[place] for row in shown.rows[:3:2]] == ["ncm", "masc"]
    assert shown.rows[-1][place] == "cannot be told"
    assert shown.rows[2][6].startswith("+10.0 ± ")
    assert shown.title == "toy v1: masc - ncm"


def test_a_decoder_is_compared_with_itself_on_other_points(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.cell(0.6, 0.4, 0.9, seed=seed)
        bench.decode({"fc1": (0.5, 0.7)}, decoder="masc", seed=seed, fitted_on="both")
    (scores,) = all_scores(bench.stored(tmp_path))
    whole = pairwise_frame(scores, "masc", "masc@both").row(-1, named=True)
    assert (whole["own"], whole["other"]) == pytest.approx((0.6, 0.7))
    assert whole["networks"] == 3
    with pytest.raises(UsageError, match="no decoder masc@held-out in toy v1; there are"):
        pairwise_table(scores, "masc", "masc@held-out")
    with pytest.raises(UsageError, match="the points after @ are training, held-out, both"):
        pairwise_table(scores, "masc", "masc@bth")


def test_a_decoder_that_is_not_there_is_named(scores: Scores) -> None:
    with pytest.raises(UsageError, match="no decoder nmc in toy v1; there are masc, ncm"):
        pairwise_table(scores, "masc", "nmc")


def test_decoders_that_share_no_network_are_not_compared(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.9, seed=0).cell(0.7, 0.4, 0.9, seed=1, decoder="ncm")
    (scores,) = all_scores(bench.stored(tmp_path))
    with pytest.raises(UsageError, match="toy v1: no network was read with both masc and ncm"):
        pairwise_table(scores, "masc", "ncm")
