"""Numbers and tables as text, with unprintable characters of plugins' names replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memgen_bench.protocol import ALL_LAYERS, FEATURES
from memgen_leaderboard.scoring.statistics import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NOTHING = "–"
SURE = f"{LEVEL:.0%}".replace("%", " %")
# What decoders are fitted on, and what sources of controls are called.
FITTED_ON = {
    "training": "training points",
    "held_out": "held-out points",
    "both": "training and held-out points",
}
SOURCES = {
    "pixels": "raw pixels",
    "untrained": "the untrained network",
    "random": "the network of random labels",
}
# Columns of words; all others are numbers.
WORDS = (
    *("decoder", "other", "model", "data set", "kind", "network", "layer", "axis", "read from"),
    *("stopped by", "refines", "features", "what the control is"),
    "reads more",
)


@dataclass(frozen=True)
class Table:
    """A table ready to be shown.

    Attributes:
        title: The title.
        columns: The headings of the columns.
        rows: The cells of each row, as text.
        notes: Sentences to show below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()
) -> Table:
    """Make a table; unprintable characters are replaced, as names come from plugins."""
    return Table(
        title=_printable(title),
        columns=tuple(map(_printable, columns)),
        rows=tuple(tuple(map(_printable, row)) for row in rows),
        notes=tuple(map(_printable, notes)),
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def control_name(row: Mapping[str, Any]) -> str:
    """Return the name of a control: its decoder, layer, source and fitting.

    Args:
        row: The values of `controls.NAME`; without a control they are None.
    """
    if row["decoder"] is None:
        return NOTHING
    source = SOURCES.get(row["source"], row["source"])
    layer = {FEATURES: "", ALL_LAYERS: "all layers of "}.get(row["layer"], f"{row['layer']} of ")
    fitted = row["fitted_on"]
    beside = "" if fitted == "training" else f", fitted on {FITTED_ON[fitted]}"
    return f"{row['decoder']} on {layer}{source}{beside}"


def percent(value: float | None, half_width: float | None = None) -> str:
    """Return a share in %, with half the width of its interval."""
    if value is None:
        return NOTHING
    return f"{_steady(value):.1f}{_plus_minus(half_width)}"


def covered(text: str, ok: int, planned: int) -> str:
    """Return a number, followed by the number of networks behind it where some are missing."""
    return text if ok == planned else f"{text} ({ok}/{planned})"


def points(value: float | None, half_width: float | None = None) -> str:
    """Return a difference of shares in points, with its sign and half the width of its interval."""
    if value is None:
        return NOTHING
    return f"{_steady(value):+z.1f}{_plus_minus(half_width)}"


def spread(mean: float, low: float | None, high: float | None) -> str:
    """Return a mean share in %, and in brackets the lowest and highest of its values."""
    return percent(mean) if low is None else f"{percent(mean)} ({percent(low)}–{percent(high)})"


def _plus_minus(half_width: float | None) -> str:
    return "" if half_width is None else f" ± {_steady(half_width):.1f}"


def _steady(value: float) -> float:
    """Return percent, rounded so that the order of a sum does not show."""
    return round(100 * value, 9)
