"""The colours, marks and dashes by which figures tell decoders and sources apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memgen_leaderboard.figures.frames import CEILING, CONTROL, EARLY, IMAGES, RANDOM, UNTRAINED

if TYPE_CHECKING:
    from collections.abc import Sequence

# Okabe & Ito 2008, without black (used for the readout) and yellow (too faint on white).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
GREY = "#888888"
# Vega's name of a mark or its outline, and matplotlib's name.
MARKS = (
    ("circle", "o"),
    ("square", "s"),
    ("triangle-up", "^"),
    ("diamond", "D"),
    ("cross", "P"),
    ("triangle-down", "v"),
    ("triangle-left", "<"),
    ("triangle-right", ">"),
    ("M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z", "p"),
)
# The lengths of dashes and gaps of each source's lines, in points.
DASHES = {
    UNTRAINED: (1.5, 2.0),
    RANDOM: (3.0, 1.5),
    "readout": (6.0, 3.0),
    CEILING: (7.0, 2.0, 1.5, 2.0),
    IMAGES: (),
}


# Where colours tell networks from their controls: of the memorized network (None) and the others.
SOURCE_COLOURS = {
    None: COLOURS[0],
    UNTRAINED: COLOURS[1],
    RANDOM: COLOURS[2],
    CONTROL: COLOURS[5],
    IMAGES: COLOURS[3],
}
# Lines across a panel, from the ceiling down, and their dashes.
LINES = {
    CEILING: (7.0, 2.0, 1.5, 2.0),
    CONTROL: (),
    IMAGES: (4.0, 1.5),
    EARLY: (1.5, 1.5),
    "readout": (6.0, 3.0),
}


@dataclass(frozen=True)
class Style:
    """The style of a decoder in figures: its colour, Vega's mark and matplotlib's."""

    colour: str
    shape: str
    marker: str


def styles(decoders: Sequence[str]) -> dict[str, Style]:
    """Return a style for each decoder; no two of the first 54 are the same."""
    found = {}
    for place, decoder in enumerate(decoders):
        row = place // len(COLOURS)
        shape, marker = MARKS[(place + row) % len(MARKS)]
        found[decoder] = Style(COLOURS[place % len(COLOURS)], shape, marker)
    return found
