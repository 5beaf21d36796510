"""`memgen-bench results`: verify, merge, compact and export results folders."""

from __future__ import annotations

import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.wording import counted

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(help="Verify, merge, compact and export results.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="A results folder.", metavar="FOLDER")]


class TableName(StrEnum):
    """The tables of a results folder."""

    readings = "readings"
    networks = "networks"
    plans = "plans"
    successors = "successors"


@app.command()
def verify(
    folder: Folder,
    aside: Annotated[
        bool,
        typer.Option(
            "--set-aside",
            help="Move parts that are wrong to FOLDER/damaged, so that the next run redoes them.",
        ),
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Read every part fully, and say what is damaged or makes no sense; exit 1 if anything is."""
    from memgen_bench.results.parts import list_parts
    from memgen_bench.results.schemas import TABLES
    from memgen_bench.results.verification import set_aside
    from memgen_bench.results.verification import verify as find_faults

    faults = find_faults(folder)
    for fault in faults:
        say(fault.message)
    for part in dict.fromkeys(fault.damaged for fault in faults if fault.damaged and aside):
        say(f"{part}: moved to {set_aside(part).parent}")
    parts = sum(len(list_parts(folder, name)) for name in TABLES)
    found = counted(len(faults), "fault") if faults else "no faults"
    say(f"{folder}: {counted(parts, 'part')}, {found}")
    if faults:
        raise typer.Exit(1)


@app.command()
def merge(
    into: Annotated[Path, typer.Argument(help="Where they go; made if it is not there.")],
    sources: Annotated[list[Path], typer.Argument(help="Results folders.", metavar="FROM...")],
    debug: options.Debug = False,
) -> None:
    """Copy the parts of results folders into another; nothing where their rows conflict."""
    from memgen_bench.results import merging

    try:
        copied = merging.merge(into, sources)
    except merging.ConflictError as error:
        for conflict in error.conflicts:
            say(conflict)
        raise
    say(f"{into}: {counted(copied, 'part')} added")


@app.command()
def compact(folder: Folder, debug: options.Debug = False) -> None:
    """Write many small parts into few, of today's columns, and drop rows that no longer count."""
    from memgen_bench.results.compaction import compact as compact_tables

    for table in compact_tables(folder):
        say(
            f"{table.name}: {counted(table.before, 'part')} became {table.after}; "
            f"dropped {counted(table.dropped, 'row')} that no longer counted"
        )


@app.command()
def export(
    folder: Folder,
    out: Annotated[
        Path, typer.Option(help="Where to: .csv, .json, .ndjson or .parquet.", metavar="FILE")
    ],
    table: Annotated[TableName, typer.Option(help="Which rows.")] = TableName.readings,
    final: Annotated[
        bool, typer.Option("--final", help="Only readings that means may be over.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    debug: options.Debug = False,
) -> None:
    """Write the rows that count into one file.

    Text formats hold `test_correct` in hexadecimal, and CSV holds lists as JSON.
    """
    from memgen_bench.errors import UsageError
    from memgen_bench.files.atomic import write_atomically
    from memgen_bench.results.store import final_rows, read_frame

    if out.suffix not in _WRITERS:
        raise UsageError(f"{out}: unknown kind of file; call it {', '.join(_WRITERS)}")
    if out.exists() and not force:
        raise UsageError(f"{out} is there already; --force replaces it")
    if final and table is not TableName.readings:
        raise UsageError(f"--final is of readings, not of {table}")
    rows = final_rows(read_frame(folder, table)) if final else read_frame(folder, table)
    write_atomically(out, _encoded(rows, out.suffix))
    say(f"{out}: {rows.height} {table}")


_WRITERS = {
    ".csv": "",
    ".json": "write_json",
    ".ndjson": "write_ndjson",
    ".parquet": "write_parquet",
}


def _encoded(rows: pl.DataFrame, suffix: str) -> bytes:
    """Return rows in the file format of a suffix."""
    import polars as pl
    from polars import selectors

    from memgen_bench.results.csv_text import csv_text

    if suffix != ".parquet":
        rows = rows.with_columns(selectors.binary().bin.encode("hex"))
    if suffix == ".csv":
        items = selectors.list().cast(pl.List(pl.String)).list.eval(pl.element().fill_null("null"))
        return csv_text(rows.with_columns(pl.format("[{}]", items.list.join(",")))).encode()
    buffer = io.BytesIO()
    getattr(rows, _WRITERS[suffix])(buffer)
    return buffer.getvalue()
