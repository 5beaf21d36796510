"""`memgen-bench compare`: own numbers beside published ones."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import DEFAULT_RESULTS


class Against(StrEnum):
    """The numbers to compare with."""

    published = "published"


@unfold
def compare(
    *,
    results: options.Results = DEFAULT_RESULTS,
    against: Annotated[Against, typer.Option(help="What to compare with.")] = Against.published,
    view: options.View,
    debug: options.Debug = False,
) -> None:
    """Put own accuracies and published ones side by side.

    Both are at layers chosen on test, as the papers choose them.
    """
    from memgen_bench.errors import StoreError
    from memgen_leaderboard.scoring.suite_scores import View, all_suites
    from memgen_leaderboard.tables.boards import comparison_table
    from memgen_leaderboard.tables.terminal import show

    tables = [comparison_table(scores) for scores in all_suites(results, [View(**view)])]
    if not any(table.rows for table in tables):
        raise StoreError(
            f"{results}: nothing that was {against.value}, too; memgen-bench run --suite fashion "
            "or --suite paper computes some of it"
        )
    for table in tables:
        show(table, options.console())
