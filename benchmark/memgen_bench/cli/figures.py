"""`memgen-bench figures`: the leaderboard's figures and its table, as files for a paper."""

from __future__ import annotations

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

    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.scoring.units import ShownKind

SHOWN = 5  # decoders whose curves are drawn


@unfold
def figures(
    *,
    out: Annotated[
        Path, typer.Option(help="Where files are written.", metavar="DIR", file_okay=False)
    ],
    results: options.Results = DEFAULT_RESULTS,
    decoders: Annotated[
        list[str] | None,
        typer.Option("--decoder", help="Draw curves of it; else of the five best of one layer."),
    ] = None,
    view: options.View,
    suite: options.ShownSuite = None,
    kind: Annotated[
        str, typer.Option(help="memorized, unmemorized, clean or untrained networks.")
    ] = "memorized",
    debug: options.Debug = False,
) -> None:
    """Draw figures as PNG, SVG and PDF, and write the board as a LaTeX table."""
    from memgen_leaderboard.scoring.suite_scores import View, require_scores

    view = with_stored_names(view, results)
    views = [View(**view, kind=cast("ShownKind", each)) for each in options.shown_kinds([kind])]
    found = require_scores(results, views, suite)
    chosen = [_chosen(scores, decoders) for scores in found]
    from memgen_leaderboard.figures.plots import save_board, save_figures  # what is asked is there

    for scores, shown in zip(found, chosen, strict=True):
        for path in [*save_figures(scores, shown, out), save_board(scores, out)]:
            say(path)


def _chosen(scores: Scores, asked: Sequence[str] | None) -> list[str]:
    from memgen_bench.errors import UsageError
    from memgen_leaderboard.figures.frames import drawn_first
    from memgen_leaderboard.scoring.suite_scores import decoder_order

    known = decoder_order(scores)
    for name in asked or ():
        if name not in known:
            there = ", ".join(sorted(known))
            raise UsageError(f"no decoder {name} in {scores.title}; there are {there}")
    return list(asked or drawn_first(scores, SHOWN))
