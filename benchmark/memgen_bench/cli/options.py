"""Options that several verbs share."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from memgen_bench.registry import Registry


class Kind(StrEnum):
    """Kinds of networks."""

    memorized = "memorized"
    clean = "clean"
    untrained = "untrained"


class Labels(StrEnum):
    """What decoders are fitted on."""

    corrupted = "corrupted"
    true = "true"


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


def _shown(name: str, help_: str) -> Any:
    return typer.Option(f"--{name}", help=f"{help_}; may be repeated.", rich_help_panel="Filters")


# What of the results is shown.
Rates = Annotated[list[float] | None, _shown("rate", "A shuffle rate")]
Datasets = Annotated[list[str] | None, _shown("dataset", "A data set")]
Models = Annotated[list[str] | None, _shown("model", "A model")]
Kinds = Annotated[list[Kind] | None, _shown("kind", "Which networks are decoded")]
FittedOn = Annotated[list[Labels] | None, _shown("labels", "What decoders are fitted on")]


def console() -> Console:
    """Return where tables are printed; a pipe or a file has no width to fit into."""
    from rich.console import Console

    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = 140
    return found


def registry(plugins: list[Path] | None) -> Registry:
    """Load the registry and say which installed plugins are broken."""
    from memgen_bench.registry import load_registry

    loaded = load_registry(plugins or ())
    for problem in loaded.problems:
        print(f"memgen-bench: warning: {problem}", file=sys.stderr)
    return loaded
