"""The tables of a results folder: their columns, and the columns that earlier versions lacked.

`networks` and `readings` are the results. `plans` lists the readings of each suite, done or not: a
reading's identity does not depend on suites, and several of them may share it. `successors` are
networks that were trained on decoded labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = 5
VERSION_KEY = "memgen_schema_version"

_TEXT, _REAL, _WHOLE, _FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")

# The columns that describe a row's network, in several tables.
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
    "held_out_count": _WHOLE,
    "validation_count": _WHOLE,
    "test_count": _WHOLE,
}


def _schema(columns: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema(list(columns.items()), metadata={VERSION_KEY: str(SCHEMA_VERSION)})


READINGS = _schema(
    {
        "key": _TEXT,
        **_NETWORK_COLUMNS,
        "rankable": _FLAG,
        "labels": _TEXT,
        "fitted_on": _TEXT,
        "decoder": _TEXT,
        "decoder_version": _WHOLE,
        "decoder_params": _TEXT,
        "decoder_plugin": _TEXT,
        "told_noise": _FLAG,
        "saw_test": _FLAG,
        "chosen": _TEXT,
        "layer": _TEXT,
        "layer_index": _WHOLE,
        "layer_depth": _REAL,
        "layer_dim": _WHOLE,
        "layer_width": _WHOLE,
        "pooled": _FLAG,
        "max_layer_dim": _WHOLE,
        "epoch": _WHOLE,
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
        "held_out_fraction": _REAL,
        "optimizer": _TEXT,
        "lr": _REAL,
        "momentum": _REAL,
        "weight_decay": _REAL,
        "batch_size": _WHOLE,
        "target": _REAL,
        "min_epochs": _WHOLE,
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

SUCCESSORS = _schema(
    {
        "key": _TEXT,
        "reading": _TEXT,
        **_NETWORK_COLUMNS,
        "source": _TEXT,
        "decoder": _TEXT,
        "decoder_version": _WHOLE,
        "decoder_params": _TEXT,
        "layer": _TEXT,
        "successor_id": _TEXT,
        "labels_right_before": _REAL,
        "labels_right_after": _REAL,
        "labels_changed": _REAL,
        "readout_before": _REAL,
        "early_stopped": _REAL,
        "decoded": _REAL,
        "readout_after": _REAL,
        "test_correct": pa.binary(),
        "epochs": _WHOLE,
        "stop_reason": _TEXT,
        "accuracy_given": _REAL,
        "train_seconds": _REAL,
        "status": _TEXT,
        "error_type": _TEXT,
        "message": _TEXT,
        "device": _TEXT,
        "environment": _TEXT,
        "code_commit": _TEXT,
        "created": _TIME,
    }
)

PLANS = _schema({"suite": _TEXT, "suite_version": _WHOLE, "key": _TEXT})

TABLES = {"networks": NETWORKS, "readings": READINGS, "plans": PLANS, "successors": SUCCESSORS}
IDENTITIES = {"networks": "network_id", "readings": "key", "successors": "key"}
STATUSES = ("failed", "skipped", "ok")  # of rows with one identity the last of these counts

_MEASURED_OF_ALL = (
    *("realised_rate", "noise_id", "memorized"),
    *("train_count", "held_out_count", "validation_count", "test_count"),
)
# The measured columns, which are equal in all `ok` rows of one identity. Times, durations, places
# and versions are not among them.
MEASURED = {
    "networks": (
        *_MEASURED_OF_ALL,
        *("parameter_count", "epochs", "stop_reason", "accuracy_given", "accuracy_wrong"),
        *("curve_loss", "curve_train_accuracy", "curve_validation_accuracy"),
        *("curve_test_accuracy", "best_validation_epoch", "best_validation_predictions"),
        *("best_test_epoch", "best_test_predictions"),
    ),
    "readings": (
        *_MEASURED_OF_ALL,
        *("rankable", "layer_dim", "layer_width", "pooled", "chosen"),
        *("test_accuracy", "balanced_accuracy", "class_accuracy", "test_correct"),
        *("validation_accuracy", "train_accuracy_given", "train_accuracy_true"),
    ),
    "successors": (
        *_MEASURED_OF_ALL,
        *("successor_id", "labels_right_before", "labels_right_after", "labels_changed"),
        *("readout_before", "early_stopped", "decoded", "readout_after", "test_correct"),
        *("epochs", "stop_reason", "accuracy_given"),
    ),
}

# The columns that each version after the first added to a table: in older parts they are null.
# Columns are never removed or redefined. To add one, name it here and raise SCHEMA_VERSION.
ADDED: dict[int, dict[str, tuple[str, ...]]] = {
    2: {"readings": ("saw_test", "chosen")},
    3: {"readings": ("epoch",)},
    4: {"networks": ("weight_decay", "min_epochs")},
    5: {
        "networks": ("held_out_count", "held_out_fraction"),
        "readings": ("held_out_count", "fitted_on"),
        "successors": ("held_out_count",),
    },
}


def schema_of(name: str, version: int) -> pa.Schema:
    """Return the schema of a table's parts in this version or an older one."""
    later = {column for since in ADDED if since > version for column in ADDED[since].get(name, ())}
    return pa.schema([field for field in TABLES[name] if field.name not in later])
