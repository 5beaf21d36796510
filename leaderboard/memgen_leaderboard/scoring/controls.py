"""The control of each cell: the best reading that needs no network trained on its labels; pure.

A source is anything that decoders read from and that knows no label: features of the images, the
untrained network, and the network that was trained on random labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.protocol import FEATURES, READOUT
from memgen_leaderboard.scoring.layer_choice import CELL, DIGITS, SIZES, UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memgen_bench.plan.suite import FittedOn, Labels

# Decoders of scope `training`: they read a network's own epochs, so that they have no control.
REFERENCES = ("early-stopped", "best-epoch", "time-averaged")

DRAW = ("noise", "rate", "noise_seed")
_DATA = ("dataset", *SIZES, "seed")
_START = (*_DATA, "model", "init_seed")
# The kinds that are sources, and the columns that their readings share with a unit.
SOURCES: Mapping[str, tuple[str, ...]] = {
    FEATURES: _DATA,
    "untrained": _START,
    "random": (*_START, "order_seed"),
}
# A control reading, as it is named.
NAME = ("source", "fitted_on", "decoder", "layer")


def fittings(fitted_on: FittedOn) -> tuple[FittedOn, ...]:
    """Return the fittings of which control readings count: labels that a user has then."""
    return ("training",) if fitted_on == "training" else ("training", "held_out", "both")


def control_readings(
    readings: pl.DataFrame, units: pl.DataFrame, labels: Labels, fitted_on: FittedOn
) -> pl.DataFrame:
    """Return the control of each unit: of each source, and the best of all sources.

    The control of a cell is the reading with the highest accuracy on noisy validation labels,
    averaged over the seeds, among all unprivileged decoders and layers that were read in all of
    the cell's units; ties go to the name that is first in the alphabet. The test set has no say.

    Args:
        readings: Rows of any kind; only those with status `ok` count.
        units: The units to find controls of: rows with the columns of `UNIT`.
        labels: The labels that decoders are fitted on.
        fitted_on: The points that decoders are fitted on.

    Returns:
        A row for each unit and source: columns of `UNIT` and `NAME`, `test_accuracy`,
        `test_correct`, `merit`, its mean accuracy on noisy validation labels, `among`, the number
        of readings that it was chosen from, and `is_best`: whether it is the best of all sources.
        Units without validation points have no control.
    """
    own = units.select(UNIT).unique().cast({name: readings.schema[name] for name in UNIT})
    candidates = _candidates(readings, own, labels, fitted_on)
    best = _best(candidates, own)
    named = candidates.join(best, on=[*CELL, *NAME], nulls_equal=True)
    on_test = readings.select("key", "test_accuracy", "test_correct")
    found = named.join(on_test, on="key", how="left", validate="m:1")
    columns = (*UNIT, *NAME, "test_accuracy", "test_correct", "merit", "among", "is_best")
    texts = pl.col(pl.Categorical).cast(pl.String)
    return found.select(columns).with_columns(texts).sort(*UNIT, "source")


def _candidates(
    readings: pl.DataFrame, own: pl.DataFrame, labels: Labels, fitted_on: FittedOn
) -> pl.DataFrame:
    """Return a row for each unit and reading of a source that may be its control."""
    fine = readings.filter(
        pl.col("status") == "ok",
        pl.col("labels") == labels,
        pl.col("fitted_on").is_in(fittings(fitted_on)),
        ~pl.col("decoder").is_in([READOUT, *REFERENCES]),
        ~pl.col("told_noise"),
        ~pl.col("saw_test").fill_null(False),
        pl.col("validation_accuracy").is_not_null(),
    )
    draw = DRAW if labels == "corrupted" else ()
    found = []
    for kind, shared in SOURCES.items():
        on = [*shared, *draw]
        name = pl.col("model") if kind == FEATURES else pl.lit(kind)
        rows = fine.filter(pl.col("kind") == kind).select(
            *on, name.cast(pl.String).alias("source"), *NAME[1:], "validation_accuracy", "key"
        )
        found.append(own.join(rows, on=on, nulls_equal=True))
    return pl.concat(found, how="diagonal").with_columns(pl.col(NAME).cast(pl.String))


def _best(candidates: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Return the name of each cell's best control reading of each source."""
    sizes = own.group_by(CELL).agg(units=pl.len())
    means = candidates.group_by(*CELL, *NAME).agg(
        merit=pl.col("validation_accuracy").mean().round(DIGITS), ok=pl.len()
    )
    whole = means.join(sizes, on=list(CELL), nulls_equal=True).filter(
        pl.col("ok") == pl.col("units")
    )
    order = [-pl.col("merit"), *NAME]
    best = (
        whole.with_columns(among=pl.len().over(*CELL, "source"))
        .sort(order)
        .unique([*CELL, "source"], keep="first", maintain_order=True)
    )
    first = pl.int_range(pl.len()).over(CELL) == 0
    return best.with_columns(is_best=first).select(*CELL, *NAME, "merit", "among", "is_best")
