"""The order of decoders on each data set, compared with that on plain digits."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import stats

from findings.cells import CELL, CHANCE, scores

PIXELS_SUFFICE = "digits"
DRAWS = 1_000  # of seeds and decoders, for the interval of a rank correlation


def compared() -> list[str]:
    """Return the decoders that are ranked on all pairs."""
    ranked = scores().summary.drop_nulls("rank")
    counts = dict(ranked.group_by("decoder").len().iter_rows())
    return sorted(name for name, count in counts.items() if count == max(counts.values()))


def order_found() -> dict[str, tuple[float, float, float]]:
    """Return the correlation of each pair with plain digits, and its bootstrap interval."""
    own = scores().units.filter("rankable", pl.col("decoder").is_in(compared()))
    own = own.filter(pl.col("control").is_not_null())
    live = own.group_by(CELL).agg(best=pl.col("decoded").max()).filter(pl.col("best") > CHANCE)
    own = own.join(live, on=CELL, how="semi")
    excess = (pl.col("decoded") - pl.col("control")).mean()
    means = own.group_by("dataset", "rate", "decoder", "seed").agg(excess=excess)
    means = means.group_by("dataset", "decoder", "seed").agg(pl.col("excess").mean())
    means = means.sort("seed", "decoder")
    arrays = {
        str(dataset): part.pivot(on="seed", index="decoder", values="excess").sort("decoder")
        for (dataset,), part in means.group_by("dataset")
    }
    values = {name: part.drop("decoder").to_numpy() for name, part in arrays.items()}
    rng = np.random.default_rng(0)
    decoders, seeds = values[PIXELS_SUFFICE].shape
    draws = [
        (rng.integers(decoders, size=decoders), rng.integers(seeds, size=seeds))
        for _ in range(DRAWS)
    ]
    found = {}
    for name in sorted(values.keys() - {PIXELS_SUFFICE}):
        one, other = values[PIXELS_SUFFICE], values[name]
        drawn = [_correlation(one[np.ix_(*draw)], other[np.ix_(*draw)]) for draw in draws]
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        found[name] = (_correlation(one, other), float(low), float(high))
    return found


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(stats.spearmanr(one.mean(axis=1), other.mean(axis=1)).statistic)
