"""`memgen-bench new`: write a complete, tested package for a new plugin."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say


class Noun(StrEnum):
    """The kinds of plugins that can be made."""

    decoder = "decoder"
    model = "model"
    feature = "feature"
    dataset = "dataset"
    noise = "noise"


def new(
    noun: Annotated[Noun, typer.Argument(help="What it is to offer.")],
    name: Annotated[str, typer.Argument(help="Its name, as my-decoder.")],
    into: Annotated[
        Path, typer.Option(help="Where its folder is made.", metavar="DIR", file_okay=False)
    ] = Path(),
    debug: options.Debug = False,
) -> None:
    """Write a plugin as a package that can be installed: module, tests, workflow, README."""
    from memgen_bench.plugin.scaffold import write_package

    folder = write_package(noun.value, name, into, options.registry(None))
    say(f"{folder} is written; its tests pass as they are:")
    say(f'  cd {folder} && pip install -e ".[test]" && pytest')
    say(f"  memgen-bench run --suite smoke --{noun.value} {name}")
