"""The cells of a board: control, references, readout and ceiling of each; pure."""

from __future__ import annotations

import polars as pl

from memgen_leaderboard.scoring.controls import NAME, REFERENCES
from memgen_leaderboard.scoring.layer_choice import CELL, UNIT
from memgen_leaderboard.scoring.ranking import cell_means

LEAST_SUITE_HEADROOM = 0.10  # with less on average a suite cannot tell networks from controls


def cells(units: pl.DataFrame, controls: pl.DataFrame) -> pl.DataFrame:
    """Return the accuracies that all decoders of a cell share.

    Args:
        units: From `units`: those that a board compares, and the references.
        controls: From `control_readings`.

    Returns:
        A row for each cell: the mean accuracies `control`, `readout` and `ceiling` over its
        `networks`; the control's name in columns of `NAME` and `among`; `headroom` and `is_void`
        as in `cell_means`; and the accuracy of each of `REFERENCES` in a column of its own.
    """
    networks = units.unique(UNIT, keep="any").with_columns(decoder=pl.lit(""))
    means = cell_means(networks).rename({"ok": "networks"})
    shared = means.select(
        *(*CELL, "networks", "control", "readout", "ceiling", "headroom", "is_void")
    )
    names = controls.filter("is_best").select(*CELL, *NAME, "among").unique()
    found = shared.join(names, on=list(CELL), how="left", nulls_equal=True)
    for reference in REFERENCES:
        own = units.filter(pl.col("decoder") == reference)
        accuracy = own.group_by(CELL).agg(pl.col("decoded").mean().alias(reference))
        found = found.join(accuracy, on=list(CELL), how="left", nulls_equal=True)
    return found.sort(CELL)


def sources(units: pl.DataFrame, controls: pl.DataFrame) -> pl.DataFrame:
    """Return the control of each source alone.

    Args:
        units: From `units`: those that a board compares.
        controls: From `control_readings`.

    Returns:
        A row for each cell and source with columns of `NAME`, `among`, `is_best`, and `control`,
        the mean test accuracy over the cell's units.
    """
    own = controls.join(units.select(UNIT).unique(), on=list(UNIT), how="semi", nulls_equal=True)
    group = [*CELL, *NAME, "among", "is_best"]
    return own.group_by(group).agg(control=pl.col("test_accuracy").mean()).sort(*CELL, "source")


def mean_headroom(found: pl.DataFrame) -> float | None:
    """Return the mean headroom of cells, voids included; None where no cell has a ceiling."""
    mean = found["headroom"].mean()
    return None if mean is None else float(mean)  # type: ignore[arg-type]
