"""The colours, marks and dashes by which figures tell decoders and sources apart."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from memgen_leaderboard.figures.frames import (
    CEILING,
    CONTROL,
    EARLY,
    IMAGES,
    PUBLISHED,
    RANDOM,
    UNTRAINED,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# Okabe & Ito 2008, without black (used for the readout) and yellow (too faint on white); then the
# olive of Tol 2021, and a violet.
COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"),
    *("#999933", "#7a5fd0"),
)
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


_Look: TypeAlias = tuple[int, int]  # the places of a colour and of a mark
_LOOKS: list[_Look] = list(product(range(len(COLOURS)), range(len(MARKS))))


def styles(decoders: Sequence[str], *together: Sequence[str]) -> dict[str, Style]:
    """Return a style for each decoder, by its name: it is the same wherever its own is free.

    No two of up to 72 decoders have the same style. Of those that are drawn together, up to 8 have
    colours of their own, and up to 9 marks of their own, which are told apart without colours.

    Args:
        decoders: All decoders, in the order of the result.
        together: Decoders that are drawn together at first, of each figure that there is.
    """
    looks: dict[str, _Look] = {}
    shown = sorted({name for group in together for name in group})
    first = [PUBLISHED] if PUBLISHED in shown else []
    for name in dict.fromkeys([*first, *shown, *sorted(decoders)]):
        beside = {other for group in together if name in group for other in group}
        near = [look for other, look in looks.items() if other in beside]
        looks[name] = _look(name, list(looks.values()), near)
    return {name: Style(COLOURS[looks[name][0]], *MARKS[looks[name][1]]) for name in decoders}


def _look(name: str, taken: Sequence[_Look], near: Sequence[_Look]) -> _Look:
    """Return the look of a name, or the next that is free of those taken, and unlike those near."""
    own = zlib.crc32(name.encode()) % len(_LOOKS)
    colours, marks = {colour for colour, _ in near}, {mark for _, mark in near}

    def badness(look: _Look) -> tuple[int, bool, bool]:
        return taken.count(look), look[0] in colours, look[1] in marks

    return min(_LOOKS[own:] + _LOOKS[:own], key=badness)
