"""`memgen-bench leaderboard`: recoverable generalization, decoder by decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memgen_bench.cli import options


def leaderboard(
    results: options.Results = Path("memgen-results"),
    update: Annotated[
        Path | None, typer.Option(help="Put the table between the marks in this file.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="With --update: only say whether it is up to date.")
    ] = False,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Show how much generalization each decoder recovers."""
    if update is None:
        print_board(results)
        return
    from memgen_leaderboard import tables

    content = "\n\n".join(tables.markdown(board) for board in tables.boards(results))
    fresh = tables.update(update, content, check=check)
    if check and not fresh:
        print(f"{update} is stale: memgen-bench leaderboard --results {results} --update {update}")
        raise typer.Exit(1)
    print(f"{update} is up to date" if fresh else f"{update} updated")


def print_board(results: Path) -> None:
    """Print the boards of a results folder."""
    from rich.console import Console

    from memgen_leaderboard import tables

    console = Console(highlight=False)
    for board in tables.boards(results):
        tables.show(board, console)
