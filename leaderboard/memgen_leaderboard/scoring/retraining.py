"""The quality of decoded labels, and of successors: networks trained on them; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from scipy import stats

from memgen_leaderboard.scoring.statistics import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence


CELL = ("dataset", "model", "noise", "rate")
# The columns of shares, which are averaged.
SHARES = (
    *("labels_right_before", "labels_right_after", "readout_before", "early_stopped"),
    *("decoded", "readout_after"),
)
_FEWEST = 3  # seeds that an interval needs


def retraining_frame(successors: pl.DataFrame, by: Sequence[str] = CELL) -> pl.DataFrame:
    """Average successors within groups.

    Args:
        successors: Rows of the successors table; only those with status `ok` count.
        by: Columns that make groups, beside `source`.

    Returns:
        A row for each group and source with the means of `SHARES`; `gain`, the accuracy of a
        successor's readout minus that of the decoder that made its labels; `gain_half_width`, half
        the width of its 95 % interval over seeds (t, null below three seeds); and the numbers of
        `seeds` and `networks`.
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
