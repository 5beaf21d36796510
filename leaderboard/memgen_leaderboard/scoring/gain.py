"""The conditional gain of layers: what decoders read with them beyond what features give; pure.

After Hewitt et al. 2021, arXiv 2109.09234: accuracy on features and layer together, minus accuracy
on the features alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from memgen_bench.plugin.composition import BESIDE
from memgen_bench.protocol import FEATURES
from memgen_leaderboard.scoring.controls import DRAW, SOURCES
from memgen_leaderboard.scoring.layer_choice import CELL, CONDITION, UNIT, choose_layers
from memgen_leaderboard.scoring.statistics import Answers, crossed

if TYPE_CHECKING:
    from memgen_bench.plan.suite import FittedOn, Labels

KINDS = ("memorized", "untrained", "random")
IS_BESIDE = pl.col("decoder").cast(pl.String).str.contains(BESIDE, literal=True)

_GAIN = {"alone": pl.Float64, "gain": pl.Float64, "half_width": pl.Float64, "networks": pl.Int64}


def gains(readings: pl.DataFrame, labels: Labels, fitted_on: FittedOn) -> pl.DataFrame:
    """Return the conditional gain of memorized networks' layers, and of those of the controls.

    In each network the layer is the one with the highest accuracy on noisy validation labels, with
    the features beside it.

    Args:
        readings: Rows of all decoders, kinds as `by_outcome` names them; only those with status
            `ok` count.
        labels: The labels that decoders are fitted on.
        fitted_on: The points that decoders are fitted on.

    Returns:
        A row for each cell, decoder, `features` and kind of network: `alone`, the mean accuracy on
        the features alone over its `networks`; `gain`, the mean of what the layer adds to it; and
        `half_width`, half the width of its interval over seeds and test images.
    """
    fine = readings.filter(
        pl.col("status") == "ok", pl.col("labels") == labels, pl.col("fitted_on") == fitted_on
    )
    both = fine.filter(IS_BESIDE, pl.col("kind").is_in(KINDS), pl.col("rankable"))
    on = [*UNIT, *CONDITION, "layer"]
    text = pl.col(pl.Categorical).cast(pl.String)
    chosen = both.join(choose_layers(both), on=on, nulls_equal=True).with_columns(text)
    parts = pl.col("decoder").str.splitn(BESIDE, 2)
    chosen = chosen.with_columns(
        decoder=parts.struct.field("field_0"), features=parts.struct.field("field_1")
    )
    draw = DRAW if labels == "corrupted" else ()
    on = [*SOURCES[FEATURES], *draw, "decoder", "features"]
    alone = fine.with_columns(text).filter(kind=FEATURES).rename({"model": "features"})
    pairs = chosen.join(
        alone.select(*on, alone="test_accuracy", alone_correct="test_correct"),
        on=on,
        nulls_equal=True,
    )
    group = [*CELL, "decoder", "features", "kind"]
    found = [(*values, *_gain(part)) for values, part in pairs.group_by(group)]
    schema = {name: pairs.schema[name] for name in group} | _GAIN
    return pl.DataFrame(found, schema=schema, orient="row").sort(group)


def _gain(pairs: pl.DataFrame) -> tuple[float, float, float, int]:
    """Return mean accuracy alone, mean gain, half the width of its interval, and the networks."""
    images = int(pairs["test_count"][0])
    correct = np.stack(
        [
            np.stack([np.unpackbits(np.frombuffer(row, np.uint8), count=images) for row in bits])
            for bits in (pairs["test_correct"], pairs["alone_correct"])
        ]
    )
    cells, seeds = np.zeros(pairs.height, np.int64), pairs["seed"].to_numpy()
    found = crossed([Answers(correct=correct, cells=cells, seeds=seeds)])
    contrast = np.array([[1.0, -1.0]])
    return (
        float(found.means[1]),
        float((contrast @ found.means)[0]),
        float(found.half_widths(contrast)[0]),
        pairs.height,
    )
