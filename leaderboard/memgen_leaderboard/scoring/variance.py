"""The variance of accuracies by noise draw, initialisation, order, data set and rate; pure."""

from __future__ import annotations

from math import prod

import polars as pl

from memgen_bench.errors import UsageError
from memgen_leaderboard.scoring.layer_choice import CELL

# Random axes, crossed with each other in every cell.
CROSSED = ("noise_seed", "init_seed", "order_seed")
# Fixed axes, which make the cells.
FIXED = ("dataset", "model", "rate")


def variance_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Split the variance of decoded accuracy by axis, on average over the decoders.

    Fixed axes count by the variance of their levels' means; `cells` is their interaction. Within a
    cell, random axes count by their components of variance, estimated from the mean squares of a
    balanced analysis of variance, none below zero; `rest` is the interaction of the seeds.

    Args:
        frame: From `units`, with every combination of levels once.

    Returns:
        A row for each axis: its `levels`; `accuracy`, the standard deviation that it causes; and
        `difference`, the same for a decoder's distance from the mean of all decoders on the same
        network, which changes the board's order.

    Raises:
        UsageError: A random axis has one level, or combinations are missing.
    """
    levels = {axis: frame[axis].n_unique() for axis in (*FIXED, *CROSSED)}
    if single := [axis for axis in CROSSED if levels[axis] < 2]:
        raise UsageError(f"{single[0]} has one level; a crossed run has several of each seed")
    if frame.height != prod(levels.values()) * frame["decoder"].n_unique():
        raise UsageError("the run is not crossed: some combinations of levels are missing")
    network = [*CELL, "seed", *CROSSED]
    frame = frame.with_columns(
        accuracy=pl.col("decoded"),
        difference=pl.col("decoded") - pl.col("decoded").mean().over(network),
    )
    found = {name: _variances(frame, name, levels) for name in ("accuracy", "difference")}
    several = sum(levels[axis] > 1 for axis in FIXED) > 1
    levels["cells"] = prod(levels[axis] for axis in FIXED) if several else 1
    levels["rest"] = prod(levels[axis] for axis in CROSSED)
    shown = [axis for axis in found["accuracy"] if levels[axis] > 1]
    return pl.DataFrame(
        {"axis": shown, "levels": [levels[axis] for axis in shown]}
        | {name: [max(v[axis], 0) ** 0.5 for axis in shown] for name, v in found.items()}
    )


def _variances(frame: pl.DataFrame, name: str, levels: dict[str, int]) -> dict[str, float]:
    value = pl.col(name)

    def mean(*axes: str) -> pl.Expr:
        return value.mean().over("decoder", *axes)

    def mean_square(deviation: pl.Expr) -> float:
        return float(frame.select(deviation.pow(2).mean()).item())

    found = {axis: mean_square(mean(axis) - mean()) for axis in FIXED}
    cells = mean_square(mean(*FIXED) - mean())
    found["cells"] = cells - sum(found.values())
    of_seeds = {axis: mean_square(mean(*FIXED, axis) - mean(*FIXED)) for axis in CROSSED}
    runs = prod(levels[axis] for axis in CROSSED)
    freedom = runs - 1 - sum(levels[axis] - 1 for axis in CROSSED)
    rest = (mean_square(value - mean(*FIXED)) - sum(of_seeds.values())) * runs / freedom
    for axis, square in of_seeds.items():
        count = levels[axis]
        found[axis] = square * count / (count - 1) - rest * count / runs
    return found | {"rest": rest}
