"""Two decoders against each other, as a table: where which reads more, and how certain that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.errors import UsageError
from memgen_leaderboard.scoring.layer_choice import CELL, UNIT
from memgen_leaderboard.text import SURE, percent, points, table

if TYPE_CHECKING:
    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.text import Table

AXES = ("model", "dataset", "noise", "rate")


def pairwise_frame(scores: Scores, decoder: str, other: str) -> pl.DataFrame:
    """Return the paired difference of two decoders for each cell, each pair, and all together.

    Args:
        scores: The scores of one suite.
        decoder: A decoder, or one with its points, `lda-shrunk@both`.
        other: Another one.

    Returns:
        A row for each model, data set, noise and rate, then with a null `rate` for all rates of a
        pair, then with nulls for all pairs: the accuracies `own` and `other`, `difference` and the
        `half_width` of its 95 % interval, and the number of `networks`.

    Raises:
        UsageError: A decoder has no reading here, or no network has both.
    """
    cells = _cell_means(scores, decoder, other)
    if cells.is_empty():
        raise UsageError(
            f"{scores.title}: no network was read with both {decoder} and {other}; run the suite "
            "with both, on the same seeds and rates"
        )
    levels = [AXES, AXES[:3], *([()] if len(scores.of_pairs) > 1 else [])]
    one = pl.lit(1).alias("one")  # a group to have, where all are together
    parts = [
        scores.difference(decoder, other, by)
        .with_columns(one)
        .join(
            cells.group_by(one, *by).agg(pl.col("own", "other").mean()),
            on=["one", *by],
            nulls_equal=True,
        )
        for by in levels
    ]
    found = pl.concat(parts, how="diagonal").with_columns(
        whole=pl.col("model").is_null(), rest=pl.col("rate").is_null()
    )
    order = ["whole", "dataset", "model", "noise", "rest", "rate"]
    columns = (*AXES, "own", "other", "difference", "half_width", "networks")
    return found.sort(order).select(columns)


def _cell_means(scores: Scores, decoder: str, other: str) -> pl.DataFrame:
    """Return the accuracies of both in each cell, on the networks that both were read from."""
    both = scores.units_of(decoder).join(
        scores.units_of(other).select(*UNIT, other="decoded"), on=list(UNIT), nulls_equal=True
    )
    return both.group_by(CELL).agg(pl.col("decoded").mean().alias("own"), pl.col("other").mean())


def pairwise_table(scores: Scores, decoder: str, other: str) -> Table:
    """Return `pairwise_frame` as a table of text."""
    rows = [
        (
            *(row[name] or "all" for name in ("model", "dataset", "noise")),
            "all" if row["rate"] is None else f"{row['rate']:g}",
            *(percent(row["own"]), percent(row["other"])),
            points(row["difference"], row["half_width"]),
            _verdict(row["difference"], row["half_width"], decoder, other),
            f"{row['networks']}",
        )
        for row in pairwise_frame(scores, decoder, other).iter_rows(named=True)
    ]
    columns = (
        *("model", "data set", "noise", "ρ", decoder, other, "difference", "reads more"),
        "networks",
    )
    notes = (
        "Test accuracy in %, each decoder at the layer that its board has it at, on the networks "
        f"that both were read from. ± is half the width of a {SURE} interval of the paired "
        "difference, image by image; none is corrected for the number of rows.",
    )
    return table(f"{scores.title}: {decoder} - {other}", columns, rows, notes)


def _verdict(difference: float, half_width: float, decoder: str, other: str) -> str:
    if abs(difference) <= half_width:
        return "cannot be told"
    return decoder if difference > 0 else other
