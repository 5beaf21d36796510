"""Results as Parquet: versioned schemas, and parts that are written once and never changed.

`networks` and `readings` are the results. `plans` says which readings belong to which suite, done
or not: a reading's identity knows no suite, and several suites may share it.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from memgen_bench.errors import StoreError
from memgen_bench.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCHEMA_VERSION = 1
_VERSION_KEY = "memgen_schema_version"

_TEXT, _REAL, _WHOLE, _FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")

# What says which network a row belongs to, in both tables.
_NETWORK_COLUMNS = {
    "network_id": _TEXT,
    "protocol_version": _WHOLE,
    "model": _TEXT,
    "dataset": _TEXT,
    "noise": _TEXT,
    "rate": _REAL,
    "realised_rate": _REAL,
    "noise_id": _TEXT,
    "seed": _WHOLE,
    "noise_seed": _WHOLE,
    "init_seed": _WHOLE,
    "order_seed": _WHOLE,
    "kind": _TEXT,
    "memorized": _FLAG,
    "num_classes": _WHOLE,
    "train_count": _WHOLE,
    "validation_count": _WHOLE,
    "test_count": _WHOLE,
}


def _schema(columns: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema(list(columns.items()), metadata={_VERSION_KEY: str(SCHEMA_VERSION)})


READINGS = _schema(
    {
        "key": _TEXT,
        **_NETWORK_COLUMNS,
        "rankable": _FLAG,
        "labels": _TEXT,
        "decoder": _TEXT,
        "decoder_version": _WHOLE,
        "decoder_params": _TEXT,
        "decoder_plugin": _TEXT,
        "told_noise": _FLAG,
        "layer": _TEXT,
        "layer_index": _WHOLE,
        "layer_depth": _REAL,
        "layer_dim": _WHOLE,
        "layer_width": _WHOLE,
        "pooled": _FLAG,
        "max_layer_dim": _WHOLE,
        "test_accuracy": _REAL,
        "balanced_accuracy": _REAL,
        "class_accuracy": pa.list_(_REAL),
        "test_correct": pa.binary(),
        "validation_accuracy": _REAL,
        "train_accuracy_given": _REAL,
        "train_accuracy_true": _REAL,
        "fit_seconds": _REAL,
        "predict_seconds": _REAL,
        "status": _TEXT,
        "error_type": _TEXT,
        "message": _TEXT,
        "created": _TIME,
    }
)

NETWORKS = _schema(
    {
        **_NETWORK_COLUMNS,
        "status": _TEXT,
        "error_type": _TEXT,
        "message": _TEXT,
        "model_plugin": _TEXT,
        "data_fingerprint": _TEXT,
        "validation_fraction": _REAL,
        "optimizer": _TEXT,
        "lr": _REAL,
        "momentum": _REAL,
        "batch_size": _WHOLE,
        "target": _REAL,
        "max_epochs": _WHOLE,
        "threads": _WHOLE,
        "precision": _TEXT,
        "parameter_count": _WHOLE,
        "epochs": _WHOLE,
        "stop_reason": _TEXT,
        "train_seconds": _REAL,
        "from_cache": _FLAG,
        "accuracy_given": _REAL,
        "accuracy_wrong": _REAL,
        "curve_loss": pa.list_(_REAL),
        "curve_train_accuracy": pa.list_(_REAL),
        "curve_validation_accuracy": pa.list_(_REAL),
        "curve_test_accuracy": pa.list_(_REAL),
        "best_validation_epoch": _WHOLE,
        "best_validation_predictions": pa.list_(pa.int32()),
        "best_test_epoch": _WHOLE,
        "best_test_predictions": pa.list_(pa.int32()),
        "device": _TEXT,
        "environment": _TEXT,
        "code_commit": _TEXT,
        "created": _TIME,
    }
)

PLANS = _schema({"suite": _TEXT, "suite_version": _WHOLE, "key": _TEXT})

_TABLES = {"readings": READINGS, "networks": NETWORKS, "plans": PLANS}
_IDENTITIES = {"readings": "key", "networks": "network_id"}
_STATUS_ORDER = {"failed": 0, "skipped": 1, "ok": 2}


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Make a table of `readings`, `networks` or `plans`; a column that a row lacks is null.

    Raises:
        KeyError: A row has a column that the schema lacks.
    """
    schema, rows = _TABLES[name], list(rows)
    for row in rows:
        if unknown := set(row) - set(schema.names):
            raise KeyError(f"no column {sorted(unknown)} in {name}")
    return pa.Table.from_pylist(rows, schema=schema)


def write_part(folder: Path, name: str, prefix: str, part: pa.Table) -> Path:
    """Add a part to a table; its name says its contents, so that nothing is rewritten.

    Args:
        folder: The results folder.
        name: `readings`, `networks` or `plans`.
        prefix: What the part is about: a network's identity, or a suite.
        part: The rows.

    Returns:
        Where it is.
    """
    buffer = io.BytesIO()
    pq.write_table(part, buffer, compression="zstd")
    content = buffer.getvalue()
    suffix = hashlib.sha256(content).hexdigest()[:12]
    path = folder / name / f"{prefix}-{suffix}.parquet"
    if not path.exists():
        write_atomically(path, content)
    return path


def read_results(path: str | Path) -> pa.Table:
    """Return all readings below a results folder, one row a key.

    Of several rows with one key the best status wins (`ok`, `skipped`, `failed`), then the newest.

    Raises:
        StoreError: The folder is not there, a part is damaged or of a newer version.
    """
    return _to_arrow(read_frame(path, "readings"), READINGS)


def read_networks(path: str | Path) -> pa.Table:
    """Return all networks below a results folder, one row a network.

    Raises:
        StoreError: The folder is not there, a part is damaged or of a newer version.
    """
    return _to_arrow(read_frame(path, "networks"), NETWORKS)


def read_plans(path: str | Path) -> pa.Table:
    """Return which readings each suite below a results folder planned, each once.

    Raises:
        StoreError: The folder is not there, a part is damaged or of a newer version.
    """
    return _to_arrow(read_frame(path, "plans").unique(maintain_order=True), PLANS)


def read_frame(path: str | Path, name: str, columns: Iterable[str] | None = None) -> pl.DataFrame:
    """Return columns of a table below a results folder: fast where few columns are asked for.

    Of readings with one key and of networks with one identity the row that counts is returned
    (see `read_results`); of `plans` all rows.

    Args:
        path: The results folder.
        name: `readings`, `networks` or `plans`.
        columns: What to read; all columns by default. What is wrong with others stays unseen.

    Raises:
        StoreError: The folder is not there, a part is damaged or of a newer version.
    """
    asked = list(columns or _TABLES[name].names)
    if name == "plans":
        return _read(Path(path), name, asked)
    identity = _IDENTITIES[name]
    rows = _read(Path(path), name, [*dict.fromkeys([*asked, identity, "status", "created"])])
    rank = pl.col("status").replace_strict(_STATUS_ORDER, default=None)
    return latest(rows, [identity], [rank, "created"]).select(asked)


def latest(rows: pl.DataFrame, same: Sequence[str], order: Sequence[str | pl.Expr]) -> pl.DataFrame:
    """Keep the last, in some order, of rows that agree in some columns; rows stay in place."""
    several = rows.select(same).is_duplicated()
    if not several.any():
        return rows
    number = pl.int_range(pl.len())
    agreeing = rows.with_columns(number.alias("number")).filter(several)
    kept = agreeing.sort(order, maintain_order=True).unique(same, keep="last")["number"]
    return rows.filter(~several | number.is_in(kept.implode()))


def _to_arrow(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    # In slices, as a chunk of a column holds at most 2 GiB of text.
    slices = (part.to_arrow(compat_level=pl.CompatLevel.oldest()) for part in frame.iter_slices())
    return pa.concat_tables([schema.empty_table(), *(part.cast(schema) for part in slices)])


def _read(folder: Path, name: str, columns: list[str]) -> pl.DataFrame:
    if not folder.is_dir():
        raise StoreError(f"{folder}: no such results folder; make one with memgen-bench run")
    paths = sorted((folder / name).glob("*.parquet"))
    rows = _read_at_once(paths, name, columns)
    if rows is not None:
        return rows
    parts = [_read_part(path, name) for path in paths]  # says which one is at fault
    return pl.DataFrame(pa.concat_tables(parts)).select(columns)


def _read_at_once(paths: list[Path], name: str, columns: list[str]) -> pl.DataFrame | None:
    """Read parts; None where one of them is not exactly as it is written today."""
    empty = pl.DataFrame(_TABLES[name].empty_table())
    if not paths:
        return empty.select(columns)
    try:
        versions = {pl.read_parquet_metadata(path).get(_VERSION_KEY) for path in paths}
        if versions != {str(SCHEMA_VERSION)}:
            return None
        parts = pl.scan_parquet(paths, schema=empty.schema, glob=False, hive_partitioning=False)
        return parts.select(columns).collect().rechunk()
    except (pl.exceptions.PolarsError, OSError):
        return None


def _read_part(path: Path, name: str) -> pa.Table:
    try:
        part = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{path}: damaged ({reason}); remove it and run again") from error
    version = int((part.schema.metadata or {}).get(_VERSION_KEY.encode(), b"0"))
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema version {version} is newer than this memgen-bench reads "
            f"({SCHEMA_VERSION}); upgrade it"
        )
    if version < 1:
        raise StoreError(f"{path}: not a results file of memgen-bench; move it elsewhere")
    missing = [column for column in _TABLES[name].names if column not in part.column_names]
    if missing:
        raise StoreError(f"{path}: lacks the column {missing[0]!r}; remove it and run again")
    return part.select(_TABLES[name].names).cast(_TABLES[name])
