"""Successors: how good decoded labels are, and networks that are trained on them; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from scipy import stats

from memgen_leaderboard.statistics import LEVEL
from memgen_leaderboard.text import PLACES, SURE, percent, points, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_leaderboard.text import Table

CELL = ("dataset", "model", "noise", "rate")
# Shares that are averaged.
SHARES = (
    *("labels_right_before", "labels_right_after", "readout_before", "early_stopped"),
    *("decoded", "readout_after"),
)
# Where the labels were read from, as on a board.
_SOURCES = {"network": PLACES["decoded"], "pixels": PLACES["pixels"]}
_HEADINGS = {"dataset": "data set", "rate": "ρ"}
_FEWEST = 3  # seeds that an interval needs


def succession_frame(successors: pl.DataFrame, by: Sequence[str] = CELL) -> pl.DataFrame:
    """Average successors over all that is not named.

    Args:
        successors: Rows of the table; only fine ones count.
        by: Columns that make groups, beside `source`.

    Returns:
        A row for each group and source with the means of `SHARES`; `gain`, what a successor's
        readout has over the decoder that made its labels, with half the width of its interval over
        seeds, `gain_half_width` (t, null below three of them); `seeds`, how many; and `networks`.
    """
    rows = successors.filter(status="ok")
    rows = rows.with_columns(gain=pl.col("readout_after") - pl.col("decoded"))
    group = [*by, "source"]
    means = rows.group_by(group).agg(pl.col(SHARES).mean(), networks=pl.len())
    of_seeds = rows.group_by(*group, "seed").agg(pl.col("gain").mean())
    spread = of_seeds.group_by(group).agg(
        pl.col("gain").mean(), sd=pl.col("gain").std(), seeds=pl.len()
    )
    quantiles = [
        float(stats.t.ppf((1 + LEVEL) / 2, seeds - 1)) if seeds >= _FEWEST else None
        for seeds in spread["seeds"]
    ]
    width = pl.Series(quantiles, dtype=pl.Float64) * pl.col("sd") / pl.col("seeds").sqrt()
    with_width = spread.with_columns(gain_half_width=width).drop("sd")
    return means.join(with_width, on=group, nulls_equal=True).sort(group)


def succession_table(successors: pl.DataFrame, by: Sequence[str] = CELL) -> Table:
    """Return the frame of successors as a table; see `succession_frame`."""
    frame = succession_frame(successors, by)
    columns = (
        *(_HEADINGS.get(name, name) for name in by),
        *("read from", "labels right", "decoded labels right", "readout", "early stopped"),
        *("decoder", "retrained", "gain", "networks"),
    )
    notes = (
        "Shares in %: of training labels that are the true ones, before and after the best decoder "
        "on noisy validation labels replaced them; of test images that are right, by the memorized "
        "network's readout, by its readout in the epoch that is best on noisy validation, by that "
        "decoder, and by the readout of a new network that was trained on the decoded labels. The "
        f"gain is that of the new network over the decoder, in points; ± is half the width of a "
        f"{SURE} interval over seeds (t).",
    )
    rows = [_row(row, by) for row in frame.iter_rows(named=True)]
    return table("Networks retrained on decoded labels", columns, rows, notes)


def _row(row: dict[str, Any], by: Sequence[str]) -> tuple[str, ...]:
    named = (f"{row[name]:g}" if name == "rate" else str(row[name]) for name in by)
    gain = points(row["gain"], row["gain_half_width"])
    shares = (percent(row[name]) for name in SHARES)
    return (*named, _SOURCES[row["source"]], *shares, gain, f"{row['networks']}")
