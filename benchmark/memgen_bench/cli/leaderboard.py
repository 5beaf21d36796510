"""`memgen-bench leaderboard`: recoverable generalization, decoder by decoder."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from memgen_bench.cli import options
from memgen_bench.cli.stored_names import with_stored_names
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import DEFAULT_RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from memgen_bench.plan.suite import FittedOn, Labels
    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.scoring.units import ShownKind


@unfold
def leaderboard(
    *,
    results: options.Results = DEFAULT_RESULTS,
    view: Annotated[
        dict[str, Any],
        options.only("rates", "datasets", "models", "noises", "decoders", "labels", "fitted_on"),
    ],
    suite: options.ShownSuite = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="memorized, unmemorized (trained, and did not), clean …; may be repeated.",
            rich_help_panel="Axes",
        ),
    ] = None,
    update: Annotated[
        list[Path] | None,
        typer.Option(help="Fill the marked parts of a Markdown file; may be repeated."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="With --update: only say whether it is up to date.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write one page, DIR/index.html.", metavar="DIR", file_okay=False),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="With --html: open it.")] = False,
    debug: options.Debug = False,
) -> None:
    """Show how much each decoder reads beyond the controls, with 95 % intervals.

    Memorized networks decoded from corrupted labels are ranked; other kinds and labels are shown.
    Decoders that are fitted on training points, on held-out points or on both have boards apart.
    """
    from memgen_bench.errors import UsageError
    from memgen_leaderboard.scoring.suite_scores import View, require_scores

    if check and not update:
        raise UsageError("--check needs --update FILE: the file to check")
    if update and html:
        raise UsageError("--update and --html are written one at a time; name one of them")
    if open_ and not html:
        raise UsageError("--open needs --html DIR: where the page is written")
    view = with_stored_names(view, results)
    conditions = product(
        options.shown_kinds(kinds or ["memorized"]),
        view.pop("labels", ["corrupted"]),
        by_points(view.pop("decoders", ()), view.pop("fitted_on", ["training"])).items(),
    )
    views = [
        View(
            **view,
            decoders=tuple(decoders),
            kind=cast("ShownKind", kind),
            labels=cast("Labels", labels),
            fitted_on=points,
        )
        for kind, labels, (points, decoders) in conditions
    ]
    found = require_scores(results, views, suite)
    if update:
        _update(update, found, check=check)
    elif html:
        _write_page(found, html, show=open_)
    else:
        print_boards(found)


def by_points(decoders: Iterable[str], fitted_on: Iterable[str]) -> dict[FittedOn, list[str]]:
    """Return the decoders of each board by the points that they are fitted on.

    Args:
        decoders: Names of decoders, some with their points, as `lda-shrunk@both`.
        fitted_on: The points of those without; without any names, of boards of all decoders.

    Raises:
        UsageError: A name has points that there are not.
    """
    from memgen_bench.errors import UsageError
    from memgen_bench.plugin.composition import split_points

    found: dict[Any, list[str]] = {}
    try:
        named = [split_points(name) for name in decoders]
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None
    for name, own in named:
        for points in [own] if own else fitted_on:
            found.setdefault(points, []).append(name)
    return found if named else {cast("FittedOn", points): [] for points in fitted_on}


def _update(files: Sequence[Path], found: Sequence[Scores], *, check: bool) -> None:
    from functools import partial

    from memgen_leaderboard.tables.markdown import update
    from memgen_leaderboard.tables.report import SECTIONS

    sections = {name: partial(make, found) for name, make in SECTIONS.items()}
    current = {file: update(file, sections, check=check) for file in files}
    for file, is_current in current.items():
        stale = "is stale; run the same command without --check" if check else "updated"
        say(f"{file} {'is up to date' if is_current else stale}")
    if check and not all(current.values()):
        raise typer.Exit(1)


def _write_page(found: Sequence[Scores], folder: Path, *, show: bool) -> None:
    import webbrowser

    from memgen_leaderboard.page.document import write_page

    path = write_page(found, folder)
    say(path)
    if show and not webbrowser.open(path.resolve().as_uri()):
        say("No browser was found to open it with.")


def print_boards(found: Sequence[Scores]) -> None:
    """Print boards to the terminal."""
    from memgen_leaderboard.tables import report, terminal

    console = options.console()
    for scores in found:
        for table in report.suite_boards(scores):
            terminal.show(table, console)
            console.print()
