"""Tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memgen_leaderboard.text import WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, JustifyMethod

    from memgen_leaderboard.text import Table

_ROOMY = 100  # characters a line; in a narrower terminal columns stand closer together


def show(table: Table, console: Console) -> None:
    """Print a table with its texts unchanged (brackets are no markup) and its numbers whole.

    Columns that do not fit are left out, and named below the table.
    """
    from rich.cells import cell_len
    from rich.table import Table as Grid
    from rich.text import Text

    close = console.width < _ROOMY
    least, gap = _widths(table), 1 if close else 2
    shown = _that_fit(least, console.width, gap)
    spare = console.width - sum(least[place] + gap for place in shown) + gap
    grid = Grid(
        title=Text(table.title),
        title_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=close,
    )
    for place in shown:
        column = table.columns[place]
        words = column in WORDS
        whole = max(cell_len(column) - least[place], 0)  # of a heading that could break
        wider = whole if whole <= spare else 0
        spare -= wider
        width = least[place] + wider
        justify: JustifyMethod = "left" if words else "right"
        grid.add_column(Text(column), justify=justify, no_wrap=words, width=width)
    for row in table.rows:
        grid.add_row(*(Text(row[place], no_wrap=True) for place in shown))
    console.print(grid)
    if absent := [name for place, name in enumerate(table.columns) if place not in shown]:
        console.print(Text(f"Shown where there is more room: {', '.join(absent)}."))
    for note in table.notes:
        console.print(Text(note))


def _widths(table: Table) -> list[int]:
    """Return the least width of each column: that of its longest cell or word of its heading."""
    from rich.cells import cell_len

    return [
        max(map(cell_len, [*name.split(), *(row[place] for row in table.rows)]), default=0)
        for place, name in enumerate(table.columns)
    ]


def _that_fit(widths: Sequence[int], room: int, gap: int) -> list[int]:
    """Return the columns that fit, leaving others out from the right but keeping the last.

    On a board the last column says how many of the planned networks a row's numbers are from.
    """
    shown = list(range(len(widths)))
    while sum(widths[place] + gap for place in shown) - gap > room and len(shown) > 2:
        del shown[-2]
    return shown
