"""Tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memgen_leaderboard.text import WORDS

if TYPE_CHECKING:
    from rich.console import Console

    from memgen_leaderboard.text import Table

_ROOMY = 100  # columns of a terminal; in a narrower one numbers stand closer together


def show(table: Table, console: Console) -> None:
    """Print a table, its text as it is, whatever brackets a name has."""
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(
        title=Text(table.title),
        title_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=console.width < _ROOMY,
    )
    for column in table.columns:
        words = column in WORDS
        grid.add_column(Text(column), justify="left" if words else "right", no_wrap=words)
    for row in table.rows:
        grid.add_row(*map(Text, row))
    console.print(grid)
    for note in table.notes:
        console.print(Text(note))
