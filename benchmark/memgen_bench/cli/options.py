"""Options that several verbs share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from memgen_bench.registry import Registry


def _set_debug(debug: bool) -> None:
    if debug:
        os.environ["MEMGEN_DEBUG"] = "1"  # worker processes see it too


Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A plugin file that is not installed.", metavar="FILE.py"),
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show tracebacks.", callback=_set_debug, is_eager=True)
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Data root; else MEMGEN_DATA, else a folder in your cache.", metavar="DIR"),
]
CacheDir = Annotated[
    Path | None,
    typer.Option(help="Trained networks; else MEMGEN_CACHE, else your cache.", metavar="DIR"),
]
# No default here: each verb states its own.
Results = Annotated[Path, typer.Option(help="Folder of the results.", metavar="DIR")]


def registry(plugins: list[Path] | None) -> Registry:
    """Load the registry and say which installed plugins are broken."""
    from memgen_bench.registry import load_registry

    loaded = load_registry(plugins or ())
    for problem in loaded.problems:
        print(f"memgen-bench: warning: {problem}", file=sys.stderr)
    return loaded
