"""`memgen-bench leaderboard`: recoverable generalization, decoder by decoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memgen_bench.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_leaderboard.tables import Board


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
    from memgen_bench.errors import StoreError, UsageError
    from memgen_leaderboard import tables

    if check and update is None:
        raise UsageError("--check needs --update FILE: the file to check")
    boards = tables.boards(results)
    if not boards:
        raise StoreError(
            f"{results}: no reading of a memorized network on corrupted labels, so nothing to "
            "score; run one with memgen-bench run"
        )
    if update is None:
        print_boards(boards)
        return
    content = "\n\n".join(tables.markdown(board) for board in boards)
    fresh = tables.update(update, content, check=check)
    if check and not fresh:
        print(f"{update} is stale: memgen-bench leaderboard --results {results} --update {update}")
        raise typer.Exit(1)
    print(f"{update} is up to date" if fresh else f"{update} updated")


def print_boards(boards: Sequence[Board]) -> None:
    """Print boards to the terminal."""
    from rich.console import Console

    from memgen_leaderboard import tables

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140  # a pipe or a file has no width to fit into
    for board in boards:
        tables.show(board, console)
