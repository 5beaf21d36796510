"""Retrained networks as a table of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memgen_leaderboard.scoring.retraining import CELL, SHARES, retraining_frame
from memgen_leaderboard.text import SOURCES, SURE, percent, points, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from memgen_leaderboard.text import Table

# Where the labels were read from, as on a board.
_SOURCES = {"network": "memorized networks", "pixels": SOURCES["pixels"]}
_HEADINGS = {"dataset": "data set", "rate": "ρ"}


def retraining_table(successors: pl.DataFrame, by: Sequence[str] = CELL) -> Table:
    """Return the mean results of successors as a table; see `retraining_frame`."""
    frame = retraining_frame(successors, by)
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
