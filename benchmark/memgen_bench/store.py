"""Results as Parquet: versioned schemas, and parts that are written once and never changed.

`networks` and `readings` are the results. `plans` says which readings belong to which suite, done
or not: a reading's identity knows no suite, and several suites may share it.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from memgen_bench.errors import StoreError
from memgen_bench.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEMA_VERSION = 1
_VERSION_KEY = b"memgen_schema_version"

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
    return pa.schema(list(columns.items()), metadata={_VERSION_KEY: str(SCHEMA_VERSION).encode()})


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
_STATUS_ORDER = ("ok", "skipped", "failed")


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
    return _one_row_each(_read(Path(path), "readings"), "key")


def read_networks(path: str | Path) -> pa.Table:
    """Return all networks below a results folder, one row a network.

    Raises:
        StoreError: The folder is not there, a part is damaged or of a newer version.
    """
    return _one_row_each(_read(Path(path), "networks"), "network_id")


def read_plans(path: str | Path) -> pa.Table:
    """Return which readings each suite below a results folder planned, each once.

    Raises:
        StoreError: The folder is not there, a part is damaged or of a newer version.
    """
    plans = _read(Path(path), "plans")
    return plans.group_by(plans.schema.names).aggregate([]).cast(PLANS)


def _read(folder: Path, name: str) -> pa.Table:
    if not folder.is_dir():
        raise StoreError(f"{folder}: no such results folder; make one with memgen-bench run")
    parts = [_read_part(path, name) for path in sorted((folder / name).glob("*.parquet"))]
    return pa.concat_tables(parts) if parts else _TABLES[name].empty_table()


def _read_part(path: Path, name: str) -> pa.Table:
    try:
        part = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{path}: damaged ({reason}); remove it and run again") from error
    version = int((part.schema.metadata or {}).get(_VERSION_KEY, b"0"))
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


def _one_row_each(rows: pa.Table, key: str) -> pa.Table:
    if pc.count_distinct(rows[key]).as_py() == len(rows):
        return rows
    rank = pc.index_in(rows["status"], value_set=pa.array(_STATUS_ORDER))
    order = pc.sort_indices(
        pa.table({"key": rows[key], "rank": rank, "created": rows["created"]}),
        sort_keys=[("key", "ascending"), ("rank", "ascending"), ("created", "descending")],
    )
    rows = rows.take(order)
    keys = rows[key].combine_chunks()
    first = pc.not_equal(keys[1:], keys[:-1])
    return rows.filter(pa.concat_arrays([pa.array([True]), first]))
