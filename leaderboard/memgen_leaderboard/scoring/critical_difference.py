"""Mean ranks of decoders over data sets, and tests of their differences; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from memgen_leaderboard.scoring.ranking import cell_means
from memgen_leaderboard.scoring.statistics import LEVEL

# Friedman's test is an approximation for many independent blocks. Models that share a data set
# share images and noise, so that only data sets are blocks.
LEAST_BLOCKS, LEAST_DECODERS = 8, 3
BLOCK = "dataset"


@dataclass(frozen=True, kw_only=True)
class CriticalDifference:
    """The contents of a critical-difference diagram (Demšar 2006).

    Attributes:
        ranks: `decoder` and `mean_rank` over the blocks, 1 being the best; the best first.
        blocks: The number of blocks.
        statistic: Friedman's χ², corrected for ties.
        p_value: p value of the hypothesis that no decoder differs.
        difference: Mean ranks at most so far apart do not differ significantly (Nemenyi).
        groups: The largest sets of decoders that do not differ significantly, the best first.
    """

    ranks: pl.DataFrame
    blocks: int
    statistic: float
    p_value: float
    difference: float
    groups: tuple[tuple[str, ...], ...]


def block_means(frame: pl.DataFrame) -> pl.DataFrame:
    """Average decoded accuracy over the cells of each data set.

    Args:
        frame: From `units`, every decoder on the same networks.

    Returns:
        A row for each block and decoder, with a column `decoded`.
    """
    cells = cell_means(frame.filter("rankable"))
    means = cells.group_by(BLOCK, "decoder").agg(pl.col("decoded").mean())
    return means.sort(BLOCK, "decoder")


def critical_difference(blocks: pl.DataFrame) -> CriticalDifference | None:
    """Rank decoders within each block and test their mean ranks.

    Friedman's test, then Nemenyi's: mean ranks of k decoders over N blocks differ significantly
    where they are more than q·√(k(k + 1)/(6N)) apart; q is the quantile of the studentized range
    divided by √2.

    Args:
        blocks: From `block_means`.

    Returns:
        The mean ranks, or None with fewer than `LEAST_BLOCKS` blocks or `LEAST_DECODERS` decoders.
    """
    wide = blocks.pivot("decoder", index=BLOCK, values="decoded").drop(BLOCK)
    decoders, count = wide.columns, wide.height
    if count < LEAST_BLOCKS or len(decoders) < LEAST_DECODERS:
        return None
    accuracies = wide.to_numpy().round(12)  # sums in another order differ in the last digits
    means = stats.rankdata(-accuracies, axis=1).mean(axis=0)
    statistic, p_value = stats.friedmanchisquare(*accuracies.T)
    k = len(decoders)
    q = stats.studentized_range.ppf(LEVEL, k, np.inf) / np.sqrt(2)
    difference = float(q * np.sqrt(k * (k + 1) / (6 * count)))
    ranks = pl.DataFrame({"decoder": decoders, "mean_rank": means}).sort("mean_rank", "decoder")
    return CriticalDifference(
        ranks=ranks,
        blocks=count,
        statistic=float(statistic),
        p_value=float(p_value),
        difference=difference,
        groups=_groups(ranks, difference),
    )


def _groups(ranks: pl.DataFrame, difference: float) -> tuple[tuple[str, ...], ...]:
    names, means = ranks["decoder"].to_list(), ranks["mean_rank"].to_list()
    ends = [sum(mean <= first + difference for mean in means) for first in means]
    starts = [ends.index(end) for end in ends]  # the first that reaches as far
    spans = sorted(set(zip(starts, ends, strict=True)))
    return tuple(tuple(names[start:end]) for start, end in spans)
