"""The figures of the findings on networks."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import polars as pl

from findings.cells import held, scores
from findings.decoder_order import PIXELS_SUFFICE
from findings.tables import MASC
from findings.wrong_labels import leak
from memgen_bench.files.atomic import write_atomically
from memgen_bench.hashing import digest
from memgen_leaderboard.figures.findings import order_figure, sources_figure, wrong_labels_figure
from memgen_leaderboard.figures.frames import controls_frame, rate_frame
from memgen_leaderboard.figures.palette import styles
from memgen_leaderboard.figures.plots import STYLE, controls_figure, rates_figure
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.decoder_choice import CHOSEN
from memgen_leaderboard.tables.boards import summary_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
LAYERS_OF = "digits-shifted"
NAMED = ("masc", "rda-50", "ridge-tuned")


def excess_drawn() -> Figure:
    """Draw X by rate: the first decoders of the summary, and the paper's."""
    rows = summary_table(scores()).rows
    ranked = [str(row[0]) for row in rows if row[0] not in (CHOSEN, MASC, *REFERENCES)]
    shown = [MASC, *ranked[:3]]
    return rates_figure(rate_frame(scores()), styles(shown, shown))


def layers_drawn() -> Figure:
    """Draw the memorized network over its layers beside all controls, on shifted digits."""
    frame = controls_frame(scores()).filter(pl.col("dataset") == LAYERS_OF)
    return controls_figure(frame, "memorized network")


def order_drawn() -> Figure:
    """Draw each decoder's X on every data set against that on plain digits."""
    frame = scores().summary.drop_nulls("rank").select("dataset", "model", "decoder", "excess")
    return order_figure(frame, PIXELS_SUFFICE, NAMED)


DRAWN = {
    "excess": excess_drawn,
    "sources": lambda: sources_figure(held()),
    "layers": layers_drawn,
    "wrong-labels": lambda: wrong_labels_figure(leak().filter(pl.col("rate") < 1)),
    "order": order_drawn,
}


def draw(name: str, *, check: bool) -> bool:
    """Write a figure; return whether it was there already, with the same texts and numbers.

    Its lines may differ in a last digit from one release of matplotlib to the next.
    """
    path, content = FIGURES / f"{name}.svg", io.StringIO()
    with mpl.rc_context(STYLE):
        figure = DRAWN[name]()
        about = {"Date": None, "Description": _numbers(figure)}
        figure.savefig(content, format="svg", metadata=about)
    fresh, old = content.getvalue(), path.read_text() if path.is_file() else ""
    same = _texts(fresh) == _texts(old)
    if not same and not check:
        write_atomically(path, fresh.encode())
    return same


def _texts(svg: str) -> list[str]:
    """Return the texts of a figure, and its description, the digest of its numbers."""
    return re.findall(r"<(?:text|dc:description)[^>]*>(.*?)</(?:text|dc:description)>", svg)


def _numbers(figure: Figure) -> str:
    """Return a digest of the numbers that are drawn.

    They are moved off the halves, so that a difference in a last digit is rounded away.
    """
    drawn = [line.get_xydata() for axes in figure.axes for line in axes.lines]
    drawn += [spots.get_offsets() for axes in figure.axes for spots in axes.collections]
    return digest(
        {"drawn": [np.round(np.asarray(part, float) + 1e-7, 3).tolist() for part in drawn]}
    )
