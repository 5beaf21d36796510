"""The front of a suite on the page: each pair's headroom, control, and excess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from memgen_leaderboard.figures.frames import EARLY, PUBLISHED
from memgen_leaderboard.text import NOTHING, percent, points

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from memgen_leaderboard.scoring.suite_scores import Scores

WIDTH = 110  # of a drawn interval, in pixels


@dataclass(frozen=True, kw_only=True)
class Excess:
    """X of one decoder on one pair.

    Attributes:
        decoder: Its name.
        excess: X, in accuracy.
        half_width: Half of its 95 % interval; None where there is none.
    """

    decoder: str
    excess: float
    half_width: float | None

    @property
    def text(self) -> str:
        """X in points with half its interval."""
        return points(self.excess, self.half_width)

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the interval, in accuracy."""
        half = self.half_width or 0.0
        return self.excess - half, self.excess + half


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A row of the overview: one model on one data set.

    Attributes:
        name: Model and data set.
        headroom: Ceiling less control, in points, as text.
        control: Mean accuracy of the control, in %, as text.
        chosen: What noisy validation labels choose.
        best: The first decoder of the board.
        published: The papers' decoder.
        early: Early stopping, a reference.
    """

    name: str
    headroom: str
    control: str
    chosen: Excess | None
    best: Excess | None
    published: Excess | None
    early: Excess | None

    @property
    def drawn(self) -> list[Excess | None]:
        """All that is drawn, in the order of the columns."""
        return [self.chosen, self.best, self.published, self.early]


def overview(scores: Scores) -> list[Pair]:
    """Return the pairs of a suite, that with the most room first."""
    return [_pair(one) for one in sorted(scores.of_pairs, key=_room, reverse=True)]


def finding(pairs: Iterable[Pair]) -> str:
    """Say which pairs are above the control, no different from it, or below."""
    said: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.chosen and pair.chosen.half_width is not None:
            said.setdefault(_verdict(pair.chosen), []).append(f"{pair.name} ({pair.chosen.text})")
    if not said:
        return "Too few seeds for intervals, or no control: nothing is shown."
    return " ".join(f"{verdict}: {', '.join(names)}." for verdict, names in said.items())


def _verdict(chosen: Excess) -> str:
    low, high = chosen.ends
    if low > 0:
        return "The memorized networks hold more than the controls"
    return "They hold less" if high < 0 else "No difference is shown"


def roomiest(scores: Scores) -> str:
    """Return the name of the pair with the most room above its control."""
    pair = max(scores.of_pairs, key=_room)
    (names,) = pair.units.select("model", "dataset").unique().iter_rows()
    return " on ".join(names)


def scale(pairs: Iterable[Pair]) -> tuple[float, float]:
    """Return the ends of a scale on which all intervals and 0 can be drawn."""
    ends = [end for pair in pairs for one in pair.drawn if one for end in one.ends]
    return min([0.0, *ends]), max([0.0, *ends])


def place(value: float, ends: tuple[float, float]) -> float:
    """Return where a value is on a scale, in pixels from the left."""
    low, high = ends
    return round(2 + (WIDTH - 4) * (value - low) / ((high - low) or 1), 1)


def _room(pair: Scores) -> float:
    room = (pair.cells["ceiling"] - pair.cells["control"]).drop_nulls().mean()
    return float(room) if isinstance(room, float) else -1.0


def _pair(one: Scores) -> Pair:
    ranked = one.board.filter(pl.col("rank").is_not_null())
    room, control = _room(one), one.cells["control"].mean()
    return Pair(
        name=one.pair,
        headroom=NOTHING if room < 0 else points(room).lstrip("+"),
        control=percent(control if isinstance(control, float) else None),
        chosen=_excess(one.chosen_board.head(1)),
        best=_excess(ranked.head(1)),
        published=_excess(one.board.filter(decoder=PUBLISHED)),
        early=_excess(one.board.filter(decoder=EARLY)),
    )


def _excess(rows: pl.DataFrame) -> Excess | None:
    found: dict[str, Any] | None = next(rows.iter_rows(named=True), None)
    if found is None or found["excess"] is None:
        return None
    return Excess(
        decoder=found["decoder"], excess=found["excess"], half_width=found["excess_half_width"]
    )
