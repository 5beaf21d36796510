"""`memgen-bench compare`: two decoders against each other, or own numbers beside published ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from memgen_bench.cli import options
from memgen_bench.cli.stored_names import with_stored_names
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import DEFAULT_RESULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_bench.plan.suite import FittedOn
    from memgen_leaderboard.scoring.suite_scores import View


class Against(StrEnum):
    """The numbers to compare with."""

    published = "published"


@unfold
def compare(
    *,
    decoders: Annotated[
        list[str] | None,
        typer.Argument(help="Two decoders to compare with each other.", metavar="[A B]"),
    ] = None,
    results: options.Results = DEFAULT_RESULTS,
    against: Annotated[
        Against, typer.Option(help="What to compare with, where no decoders are named.")
    ] = Against.published,
    view: options.View,
    fitted_on: Annotated[
        str, typer.Option(help="Of A and B: training, held_out or both.")
    ] = "training",
    suite: options.ShownSuite = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Of A and B: draw a figure here, too.", metavar="DIR", file_okay=False),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Compare two decoders on the same networks and images, or own and published numbers.

    A B: accuracy of A minus that of B with its 95 % interval, cell by cell. Without them, own
    accuracies and published ones stand side by side, at layers chosen on test, as the papers do.
    """
    from memgen_bench.errors import UsageError
    from memgen_leaderboard.scoring.suite_scores import View

    view = with_stored_names(view, results)
    if decoders:
        if len(decoders) != 2:
            raise UsageError(f"compare takes two decoders, not {len(decoders)}: {decoders}")
        points = cast("FittedOn", fitted_on)
        _compare_decoders(decoders, results, View(**view, fitted_on=points), suite, out)
    elif out:
        raise UsageError("--out needs two decoders, as in: memgen-bench compare masc ncm --out DIR")
    else:
        _compare_published(results, View(**view), suite, against)


def _compare_decoders(
    names: Sequence[str], results: Path, view: View, suite: str | None, out: Path | None
) -> None:
    from memgen_bench.errors import UsageError
    from memgen_leaderboard.scoring.suite_scores import require_scores
    from memgen_leaderboard.tables.pairwise import pairwise_frame, pairwise_table
    from memgen_leaderboard.tables.terminal import show

    decoder, other = names
    found, first_error = 0, None
    for scores in require_scores(results, [view], suite):
        try:
            table = pairwise_table(scores, decoder, other)
        except UsageError as error:  # other suites may have both
            first_error = first_error or error
            continue
        found += 1
        show(table, options.console())
        if out:
            from memgen_leaderboard.figures.plots import save_difference

            frame = pairwise_frame(scores, decoder, other)
            title = f"{scores.title}: {decoder} - {other}"
            for path in save_difference(frame, title, out):
                say(path)
    if first_error and not found:
        raise first_error


def _compare_published(results: Path, view: View, suite: str | None, against: Against) -> None:
    from memgen_bench.errors import StoreError
    from memgen_leaderboard.scoring.suite_scores import all_suites
    from memgen_leaderboard.tables.boards import comparison_table
    from memgen_leaderboard.tables.terminal import show

    suites = [one for one in all_suites(results, [view]) if suite in (None, one.suite, one.title)]
    tables = [comparison_table(scores) for scores in suites]
    if not any(table.rows for table in tables):
        raise StoreError(
            f"{results}: nothing that was {against.value}, too; memgen-bench run --suite fashion "
            "or --suite paper computes some of it"
        )
    for table in tables:
        show(table, options.console())
