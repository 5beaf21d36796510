"""`memgen-bench data`: list, download and import data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import Places

app = typer.Typer(help="List, download and import data sets.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A data set's name.")]
DataPlaces = Annotated[Places, options.where("data_dir")]


@app.command("list")
@unfold
def show(
    *,
    places: DataPlaces,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Say of each data set whether it is on disk."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from memgen_bench.errors import DataNotFoundError

    root = places.data_dir
    table = Table("name", "here", "summary", box=None, pad_edge=False)
    for name, spec in options.registry(plugins).datasets.items():
        try:
            spec.files(root)
            here, about = "yes", spec.summary
        except DataNotFoundError as error:
            here, about = "no", f"{spec.summary}; {error}"
        table.add_row(Text(name), here, Text(about))
    console = Console(highlight=False)
    console.print(f"data root: {root}")
    console.print(table)


@app.command()
@unfold
def download(
    *,
    name: Name,
    places: DataPlaces,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Fetch a data set from where its authors offer it."""
    from memgen_bench.errors import DataError, MemgenError, UsageError

    spec = options.registry(plugins).datasets.find(name)
    if spec.download is None:
        raise UsageError(f"data set {name!r} cannot be downloaded; it is made or imported")
    root = places.data_dir
    try:
        spec.download(root)
    except MemgenError:
        raise
    except Exception as error:
        raise DataError(
            f"download of {name!r} to {root} failed ({type(error).__name__}: {error}); check the "
            f"connection, or fetch the files elsewhere and use memgen-bench data import {name}"
        ) from error
    say(f"{name} is in {root}")


@app.command("import")
@unfold
def take(
    *,
    name: Name,
    source: Annotated[Path, typer.Argument(help="The official files: a folder or an archive.")],
    places: DataPlaces,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Take files that you already have into the data root."""
    from memgen_bench.errors import UsageError

    spec = options.registry(plugins).datasets.find(name)
    if spec.import_from is None:
        raise UsageError(f"data set {name!r} takes no files; it is made, or read where it lies")
    if not source.exists():
        raise UsageError(f"{source}: there is no such file or folder")
    root = places.data_dir
    spec.import_from(source, root)
    say(f"{name} is in {root}")
