"""Verification of a results folder: its parts against their hashes, and its rows against rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.errors import DamagedPartError, StoreError, VanishedPartError, WriteError
from memgen_bench.results.merging import columns_to_compare, find_conflicts
from memgen_bench.results.parts import PART, list_parts, read_parts, version_of
from memgen_bench.results.schemas import IDENTITIES, STATUSES, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DAMAGED = "damaged"  # the sub-folder for parts that are set aside


@dataclass(frozen=True)
class Fault:
    """A fault in a results folder.

    Attributes:
        message: The file, the fault, and the remedy, in one line.
        damaged: The part to set aside; None where that does not help.
    """

    message: str
    damaged: Path | None = None


def verify(folder: Path) -> list[Fault]:
    """Find all faults in a results folder.

    Each part is compared with the hash in its name. Then its rows are checked: required columns,
    accuracies between 0 and 1 that agree with `test_correct`, a network for each reading, and no
    two `ok` rows of one identity that differ in measured columns.

    Beside a run or a compaction the folder is looked at as it is at one moment: later parts do not
    count, and where parts vanish, all is looked at anew.

    Raises:
        StoreError: The folder does not exist.
    """
    while True:
        # Rows of networks are written first: listed last, they are there for all readings listed.
        listed = {name: list_parts(folder, name) for name in reversed(TABLES)}
        try:
            return _verify(folder, listed)
        except VanishedPartError:
            if listed == {name: list_parts(folder, name) for name in listed}:
                raise


def _verify(folder: Path, listed: Mapping[str, list[Path]]) -> list[Fault]:
    faults: list[Fault] = []
    rows: dict[str, pl.DataFrame] = {}
    for name in TABLES:
        fine: dict[Path, int] = {}
        for path in listed[name]:
            try:
                fine[path] = version_of(path)
            except VanishedPartError:
                raise
            except DamagedPartError as error:
                faults.append(Fault(str(error), path))
            except StoreError as error:
                faults.append(Fault(str(error)))
        rows[name] = _read(fine, name)
        faults += _senseless(rows[name], name)
    faults += _without_network(rows["readings"], rows["networks"], folder)
    return faults + [
        Fault(f"{conflict}; set the wrong one aside, or compact: the newest counts")
        for name in IDENTITIES
        for conflict in find_conflicts(rows[name], name)
    ]


def set_aside(part: Path) -> Path:
    """Move a part out of its table, to `damaged/`, and return its new path.

    Raises:
        WriteError: The folder is not writable.
    """
    target = part.parent.parent / DAMAGED / part.parent.name / part.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return part.replace(target)
    except OSError as error:
        raise WriteError(f"cannot move {part} to {target} ({error.strerror})") from error


def _outside(*columns: str) -> pl.Expr:
    return pl.any_horizontal(~pl.col(column).is_between(0, 1) for column in columns)


def _lack(*columns: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(column).is_null() for column in columns)


_STATUS = ~pl.col("status").is_in(STATUSES)
_OK = pl.col("status") == "ok"
# Faults, with the expression that is true for rows that have them.
_RULES = {
    "networks": {
        "no identity, status or time": _lack("network_id", "status", "created"),
        "an unknown status": _STATUS,
        "a share outside [0, 1]": _outside(
            "rate", "realised_rate", "accuracy_given", "accuracy_wrong"
        ),
    },
    "readings": {
        "no key, network, status or time": _lack("key", "network_id", "status", "created"),
        "an unknown status": _STATUS,
        "a share outside [0, 1]": _outside(
            *("rate", "realised_rate", "test_accuracy", "balanced_accuracy"),
            *("validation_accuracy", "train_accuracy_given", "train_accuracy_true"),
        ),
        "fine without a test accuracy, or with one and not fine": (
            pl.col("test_accuracy").is_null() == _OK
        ),
        "another test accuracy than test_correct": (
            (pl.col("test_accuracy") - pl.col("correct") / pl.col("test_count")).abs() > 1e-9
        ),
    },
    "successors": {
        "no key, network, status or time": _lack("key", "network_id", "status", "created"),
        "an unknown status": _STATUS,
        "a share outside [0, 1]": _outside(
            *("labels_right_before", "labels_right_after", "labels_changed", "readout_before"),
            *("early_stopped", "decoded", "readout_after", "accuracy_given"),
        ),
        "fine without a readout, or with one and not fine": (
            pl.col("readout_after").is_null() == _OK
        ),
    },
    "plans": {"no suite or key": _lack("suite", "suite_version", "key")},
}


def _read(parts: Mapping[Path, int], name: str) -> pl.DataFrame:
    used = {column for rule in _RULES[name].values() for column in rule.meta.root_names()}
    columns = dict.fromkeys([*columns_to_compare(name), *(used - {"correct"})])
    rows = read_parts(parts, name, list(columns))
    if name != "readings":
        return rows
    counts = [
        None if bits is None else int.from_bytes(bits).bit_count() for bits in rows["test_correct"]
    ]
    return rows.with_columns(pl.Series("correct", counts, pl.Int64))


def _senseless(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    for what, rule in _RULES[name].items():
        for part, count in rows.filter(rule).group_by(PART).len().sort(PART).iter_rows():
            yield Fault(f"{part}: {what} (rows: {count}); set it aside and run again", Path(part))


def _without_network(
    readings: pl.DataFrame, networks: pl.DataFrame, folder: Path
) -> Iterator[Fault]:
    lost = readings.join(networks, on="network_id", how="anti")
    for part, count in lost.group_by(PART).len().sort(PART).iter_rows():
        nowhere = folder / "networks"
        yield Fault(f"{part}: readings of networks that {nowhere} lacks (rows: {count}); run again")
