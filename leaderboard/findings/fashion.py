"""Fashion-MNIST, 10,000 images: what memorized networks hold, and what bounds it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from findings import sentences, tables
from findings.cells import CELL, held, scores, with_bits
from memgen_bench.results.store import read_frame
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.tables.markdown import markdown
from memgen_leaderboard.text import percent, points, table

BOARD = Path(__file__).parents[1] / "results" / "fashion-10k"
SOURCES = {**tables.SOURCES, "patches/400": "patches"}
del SOURCES["patches/100"]
ASKED = {0.8: "> 0"}  # of X, set before any of it was read


def sources() -> str:
    """Return the network's own reading, and that of each control."""
    return tables.sources(BOARD, SOURCES)


def marks() -> str:
    """Return in each cell the decoder that reads the most, and X; and the room that there is."""
    found = scores(board=BOARD)
    units = with_bits(found.units.filter(~pl.col("decoder").is_in(REFERENCES)))
    control = found.controls.filter("is_best").rename({"test_correct": "bits"})
    excess = contrast(with_bits(found.chosen), control, CELL)
    rooms = held(board=BOARD).select(*CELL, room=pl.col("ceiling") - pl.col("control"))
    rows = []
    for cell in excess.join(rooms, on=CELL).sort(CELL).iter_rows(named=True):
        own = units.filter(**{name: cell[name] for name in CELL})
        means = own.group_by("decoder").agg(pl.col("decoded").mean())
        name, reads = means.sort(-pl.col("decoded"), "decoder").row(0)
        best = contrast(own.filter(decoder=name), control).row(0, named=True)
        rows.append(
            (
                *tables.place(cell),
                ASKED.get(cell["rate"], "–"),
                *(name, percent(reads)),
                tables.plus_minus(best["difference"], best["half_width"]),
                tables.plus_minus(cell["difference"], cell["half_width"]),
                points(cell["room"]),
            )
        )
    columns = ("pair", "ρ", "asked of X", "decoder", "reads", "its X", "X, chosen", "room")
    title = "The decoder that reads the most, in hindsight, and what is chosen, in points"
    note = "room: the clean network's readout less the best control."
    return markdown(table(title, columns, rows, [note]))


def memorized() -> str:
    """Return how many networks were trained, and which of them did not memorize."""
    return sentences.memorized(read_frame(BOARD, "networks"))
