"""Tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memgen_leaderboard.text import WORDS

if TYPE_CHECKING:
    from rich.console import Console

    from memgen_leaderboard.text import Table

_ROOMY = 100  # characters a line; in a narrower terminal columns stand closer together


def show(table: Table, console: Console) -> None:
    """Print a table with its texts unchanged (brackets are no markup) and its numbers whole.

    Columns that do not fit are left out, and named below the table.
    """
    from rich.table import Table as Grid
    from rich.text import Text

    close = console.width < _ROOMY
    shown = _that_fit(table, console.width, gap=1 if close else 2)
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
        grid.add_column(Text(column), justify="left" if words else "right", no_wrap=words)
    for row in table.rows:
        grid.add_row(*(Text(row[place], no_wrap=True) for place in shown))
    console.print(grid)
    if absent := [name for place, name in enumerate(table.columns) if place not in shown]:
        console.print(Text(f"Shown where there is more room: {', '.join(absent)}."))
    for note in table.notes:
        console.print(Text(note))


def _that_fit(table: Table, room: int, gap: int) -> list[int]:
    """Return the columns that fit, leaving others out from the right but keeping the last.

    On a board the last column says how many of the planned networks a row's numbers are from.
    """
    from rich.cells import cell_len

    shown = list(range(len(table.columns)))
    widths = [
        max(map(cell_len, [*name.split(), *(row[place] for row in table.rows)]), default=0)
        for place, name in enumerate(table.columns)
    ]
    while sum(widths[place] + gap for place in shown) - gap > room and len(shown) > 2:
        del shown[-2]
    return shown
