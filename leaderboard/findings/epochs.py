"""When in the training of `core`'s networks the excess over the best control is largest."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from findings.cells import CELL, CHANCE, scores
from findings.sentences import ADDITION, NAMES, interval
from memgen_bench.protocol import READOUT
from memgen_bench.results.store import read_frame
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.layer_choice import DIGITS, UNIT
from memgen_leaderboard.tables.markdown import markdown
from memgen_leaderboard.text import percent, points, table

STUDY = Path(__file__).parents[1] / "studies" / "epochs"
END = 0  # in place of an epoch: the end of the training
EARLY = 64  # epochs, after which networks on addition have all given labels right
_COLUMNS = (
    *("key", "kind", "memorized", "status", "labels", "decoder", "layer", "epoch"),
    *("validation_accuracy", "test_accuracy", "test_correct"),
)


@cache
def over_epochs() -> pl.DataFrame:
    """Return X after epochs of the training.

    At each epoch the decoder and layer count that are best on the network's noisy validation
    labels; the control is the board's, by the same decoders and on the same seeds.

    Returns:
        A row for each cell and `epoch`, `END` for the trained network: the mean accuracy `decoded`,
        `difference` to the control, its `half_width`, and the number of `networks`. An epoch that
        not all networks of a cell have reached has no row.
    """
    own = _chosen()
    control = _control().rename({"test_correct": "bits"})
    rows = []
    for (epoch,), part in own.group_by("epoch"):
        units = part.rename({"test_correct": "bits"})
        found = contrast(units, control.cast({name: units.schema[name] for name in UNIT}), CELL)
        means = part.group_by(CELL).agg(decoded=pl.col("test_accuracy").mean())
        rows.append(found.join(means, on=CELL).with_columns(epoch=pl.lit(epoch)))
    every = pl.concat(rows)
    whole = every.filter(pl.col("networks") == pl.col("networks").max().over(CELL))
    return whole.sort(*CELL, "epoch")


def _control() -> pl.DataFrame:
    """Return the best control of the board's networks by the study's decoders."""
    names = read_frame(STUDY, "readings", ["key", "decoder"])["decoder"].unique()
    same = scores().readings.filter(pl.col("decoder").is_in(names.implode()))
    return replace(scores(), readings=same).controls.filter("is_best")


def _chosen() -> pl.DataFrame:
    """Return the reading of each memorized network and epoch that its validation labels choose."""
    rows = read_frame(STUDY, "readings", list(dict.fromkeys([*_COLUMNS, *UNIT]))).filter(
        pl.col("kind") == "memorized",
        pl.col("memorized").fill_null(True),
        pl.col("status") == "ok",
        pl.col("decoder") != READOUT,
    )
    order = [-pl.col("validation_accuracy").round(DIGITS), pl.col("decoder"), pl.col("layer")]
    at = rows.with_columns(pl.col("epoch").fill_null(END))
    return at.sort(order).unique([*UNIT, "epoch"], keep="first", maintain_order=True)


def largest() -> pl.DataFrame:
    """Return the epoch of each cell above chance at which X is largest, beside its end."""
    found = over_epochs()
    live = found.filter(pl.col("decoded").max().over(CELL) > CHANCE)
    end = live.filter(epoch=END).select(*CELL, last="difference", last_half="half_width")
    during = live.filter(pl.col("epoch") != END).sort("difference", descending=True)
    first = during.unique(CELL, keep="first", maintain_order=True)
    return first.join(end, on=CELL).sort(CELL)


def when() -> str:
    """Say when X is largest."""
    found = largest()
    images = found.filter(pl.col("dataset") != ADDITION)
    rule = found.filter(dataset=ADDITION).sort("rate").row(0, named=True)
    lost = (images["difference"] - images["last"]).to_numpy()
    peaks = images["epoch"].to_numpy()
    early = cell_at(rule, EARLY)
    best = images.sort("difference", descending=True).row(0, named=True)
    return (
        f"**When.** On images and signals X is largest after {peaks.min()} to {peaks.max()} epochs, and by "
        f"{percent(float(lost.min()))} to {percent(float(lost.max()))} points smaller at the end, in "
        f"{(lost > 0).sum()} of {len(lost)} cells; the largest is on {NAMES[best['dataset']]} at rate {best['rate']:g}, "
        f"{interval(best)} after {best['epoch']} epochs and {interval(best, 'last', 'last_half')} at the end. The "
        "epoch is picked on test, which favours it. On modular addition the rule comes last: at rate "
        f"{rule['rate']:g} X is {interval(early)} after {EARLY} epochs, when all given labels are learned, and "
        f"{interval(rule, 'last', 'last_half')} at the end."
    )


def cell_at(cell: dict[str, Any], epoch: int) -> dict[str, Any]:
    """Return the row of a cell at another epoch."""
    its = [pl.col(name) == cell[name] for name in CELL]
    return over_epochs().row(
        by_predicate=pl.all_horizontal(*its, pl.col("epoch") == epoch), named=True
    )


def table_over_epochs() -> str:
    """Return X over the epochs as a table."""
    found = over_epochs()
    epochs = [epoch for epoch in found["epoch"].unique().sort() if epoch != END]
    rows = []
    for (dataset, model, rate), part in found.group_by(CELL, maintain_order=True):
        values = dict(part.select("epoch", "difference").iter_rows())
        end = part.filter(epoch=END).row(0, named=True)
        rows.append(
            (
                f"{model} on {dataset}",
                f"{rate:g}",
                *(points(values[epoch]) if epoch in values else "" for epoch in epochs),
                interval(end),
                percent(end["decoded"]),
            )
        )
    columns = ("pair", "ρ", *map(str, epochs), "end", "accuracy at the end")
    title = "X in points after so many epochs, and at the end of the training"
    note = "Chosen among masc, ncm, lda-shrunk and ridge-tuned, fitted on training points."
    return markdown(table(title, columns, rows, [note]))
