"""The rows of a results folder: written as tables, and read without superseded rows.

See `schemas` for the columns of the tables, and `parts` for the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from memgen_bench.errors import printable
from memgen_bench.files.places import named_path
from memgen_bench.results.parts import write_part
from memgen_bench.results.schemas import IDENTITIES, STATUSES, TABLES
from memgen_bench.results.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "counting",
    "latest",
    "read_frame",
    "read_networks",
    "read_plans",
    "read_results",
    "table",
    "to_arrow",
    "write_part",
]

# The columns that readings share which differ only in the version of their decoder.
_ONE_READING = (
    *("network_id", "noise", "rate", "noise_seed", "labels", "fitted_on", "decoder", "layer"),
    *("test_count", "max_layer_dim"),
)


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Make a table of `readings`, `networks` or `plans`; a column that a row lacks is null.

    Raises:
        KeyError: A row has a column that the schema lacks.
    """
    schema, rows = TABLES[name], [_encodable(row) for row in rows]
    for row in rows:
        if unknown := set(row) - set(schema.names):
            raise KeyError(f"no column {sorted(unknown)} in {name}")
    return pa.Table.from_pylist(rows, schema=schema)


def _encodable(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row whose texts can be encoded: those of plugins and of file names may not be."""
    try:
        for value in row.values():
            if isinstance(value, str):
                value.encode()
    except UnicodeEncodeError:
        return {k: printable(v) if isinstance(v, str) else v for k, v in row.items()}
    return row


def read_results(path: str | Path, *, final: bool = False) -> pa.Table:
    """Return all readings of a results folder, one row for each key.

    Of several rows with one key the best status wins (`ok`, `skipped`, `failed`), then the newest.

    Args:
        path: The results folder.
        final: Keep only what means may be over: readings that are `ok`, of networks at the end of
            their training that memorized their labels if that was asked of them, of the newest
            protocol and of the newest version of each decoder.

    Raises:
        StoreError: The folder is not there, a part is damaged or of a newer version.

    Examples:
        >>> import memgen_bench
        >>> readings = memgen_bench.read_results("leaderboard/results/digits")
        >>> readings.schema.field("test_accuracy").type
        DataType(double)
    """
    rows = read_frame(path, "readings")
    return to_arrow(final_rows(rows) if final else rows, "readings")


def final_rows(readings: pl.DataFrame) -> pl.DataFrame:
    """Keep the readings that means may be over; see `read_results`.

    Networks that were trained on random labels are kept, however far they came.
    """
    asked = pl.col("kind") != "random"
    older = pl.col("fitted_on").fill_null("training")  # before there was a choice
    kept = readings.with_columns(older).filter(
        pl.col("status") == "ok",
        pl.col("epoch").is_null(),
        ~asked | pl.col("memorized").fill_null(True),
        pl.col("protocol_version") == pl.col("protocol_version").max(),
    )
    return latest(kept, _ONE_READING, ["decoder_version", "created"])


def read_networks(path: str | Path) -> pa.Table:
    """Return all networks of a results folder, one row for each.

    Raises:
        StoreError: The folder is not there, a part is damaged or of a newer version.

    Examples:
        >>> import memgen_bench
        >>> networks = memgen_bench.read_networks("leaderboard/results/digits")
        >>> sorted(set(networks["kind"].to_pylist()))
        ['clean', 'memorized', 'untrained']
    """
    return to_arrow(read_frame(path, "networks"), "networks")


def read_plans(path: str | Path) -> pa.Table:
    """Return the planned readings of each suite in a results folder, one row for each.

    Raises:
        StoreError: The folder does not exist, or a part is damaged or of a newer version.
    """
    return to_arrow(read_frame(path, "plans"), "plans")


def read_frame(
    results: str | Path | Snapshot, name: str, columns: Iterable[str] | None = None
) -> pl.DataFrame:
    """Return columns of the rows of a table that count: fast where few columns are asked for.

    Args:
        results: The results folder, or what was already checked of it.
        name: One of `schemas.TABLES`.
        columns: The columns to read; all by default.

    Raises:
        StoreError: The folder does not exist, or a part is damaged or of a newer version.
    """
    asked = list(TABLES[name].names if columns is None else columns)
    needed = [] if name == "plans" else [IDENTITIES[name], "status", "created"]
    snapshot = results if isinstance(results, Snapshot) else Snapshot(named_path(results))
    rows = snapshot.rows(name, list(dict.fromkeys([*asked, *needed])))
    return counting(_of_numbers(rows), name).select(asked)


def _of_numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out rows with a number that is none, which we never write; `verify` names them."""
    numbers = [column for column, kind in rows.schema.items() if kind.is_float()]
    return (
        rows.filter(~pl.any_horizontal(pl.col(numbers).is_nan().fill_null(False)))
        if numbers
        else rows
    )


def counting(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Keep the rows that count: distinct rows of plans, else those of `read_results`."""
    if name == "plans":
        return rows.unique(maintain_order=True)
    rank = pl.col("status").replace_strict(STATUSES, range(len(STATUSES)), default=None)
    return latest(rows, [IDENTITIES[name]], [rank, "created"])


def latest(rows: pl.DataFrame, same: Sequence[str], order: Sequence[str | pl.Expr]) -> pl.DataFrame:
    """Keep the last, in a given order, of rows that agree in `same`; rows keep their places."""
    several = rows.select(same).is_duplicated()
    if not several.any():
        return rows
    number = pl.int_range(pl.len())
    agreeing = rows.with_columns(number.alias("number")).filter(several)
    kept = agreeing.sort(order, maintain_order=True).unique(same, keep="last")["number"]
    return rows.filter(~several | number.is_in(kept.implode()))


def to_arrow(frame: pl.DataFrame, name: str) -> pa.Table:
    """Return rows of a table as Arrow, in the types of its schema."""
    schema = TABLES[name]
    # In slices, as a chunk of a column holds at most 2 GiB of text.
    slices = (part.to_arrow(compat_level=pl.CompatLevel.oldest()) for part in frame.iter_slices())
    return pa.concat_tables([schema.empty_table(), *(part.cast(schema) for part in slices)])
