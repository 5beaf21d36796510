"""`memgen-bench publish`: a folder for any static host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import DEFAULT_RESULTS
from memgen_bench.wording import counted


@unfold
def publish(
    *,
    out: Annotated[
        Path,
        typer.Argument(
            help="Where it goes; what an earlier call wrote is replaced.", file_okay=False
        ),
    ],
    results: options.Results = DEFAULT_RESULTS,
    suite: options.ShownSuite = None,
    licence: Annotated[
        str, typer.Option("--licence", help="Of the data, as SPDX names it.")
    ] = "CC-BY-4.0",
    debug: options.Debug = False,
) -> None:
    """Write the page, the tables as Parquet, and a data card, ready for a static host."""
    from memgen_leaderboard.publishing.folder import publish as write
    from memgen_leaderboard.publishing.folder import require_own
    from memgen_leaderboard.scoring.suite_scores import View, require_scores

    require_own(out)
    found = require_scores(results, [View()], suite)
    files = write(found, out, licence)
    size = sum(file.stat().st_size for file in files) / 1e6
    say(f"{out}: {counted(len(files), 'file')}, {size:.1f} MB; open {out / 'index.html'}")
