"""Merges of results folders: the union of their parts, unless their rows contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.errors import StoreError
from memgen_bench.files.atomic import remove_leftovers
from memgen_bench.results.parts import PART, copy_part
from memgen_bench.results.schemas import IDENTITIES, MEASURED, TABLES
from memgen_bench.results.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ABOUT = {
    "networks": ("network_id", "model", "dataset", "kind", "seed"),
    "readings": ("network_id", "decoder", "labels", "layer"),
    "successors": ("network_id", "decoder", "layer"),
}


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """A conflict: rows with status `ok` and one identity that differ in measured columns.

    Attributes:
        identity: A reading's key, or a network's id.
        about: The columns that describe the reading or network.
        differing: The measured columns in which the rows differ.
        parts: The files that hold the rows.
    """

    identity: str
    about: dict[str, Any]
    differing: tuple[str, ...]
    parts: tuple[str, ...]

    def __str__(self) -> str:
        about = ", ".join(f"{name} {value}" for name, value in self.about.items())
        return (
            f"conflict: {self.identity} ({about}) differs in {', '.join(self.differing)}: "
            f"{', '.join(self.parts)}"
        )


class ConflictError(StoreError):
    """Results folders contradict each other; `conflicts` lists the conflicts."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(
            f"nothing was merged (conflicts: {len(conflicts)}): one thing was computed twice, with "
            "different results; set the parts that are wrong aside, or, where all of them are in "
            "one folder and the newest is right, use memgen-bench results compact"
        )
        self.conflicts = conflicts


def merge(into: Path, sources: Sequence[Path]) -> int:
    """Copy the parts of results folders into another folder, which is created if it does not exist.

    Args:
        into: The folder to copy to.
        sources: The folders to copy from.

    Returns:
        The number of parts that were added.

    Raises:
        ConflictError: Rows of one identity differ in measured columns; nothing was copied.
        StoreError: A folder does not exist, or a part is damaged or of a newer version; nothing was
            copied.
        WriteError: A part cannot be written; the same command continues from there.
    """
    folders = [Snapshot(folder) for folder in ([into, *sources] if into.is_dir() else sources)]
    found = {
        name: [folder.rows(name, columns_to_compare(name)) for folder in folders] for name in TABLES
    }
    conflicts = [
        conflict for name in IDENTITIES for conflict in find_conflicts(pl.concat(found[name]), name)
    ]
    if conflicts:
        raise ConflictError(conflicts)
    remove_leftovers(into)
    # Networks come first, so that no reading is ever there without its network.
    return sum(
        copy_part(part, into, name)
        for name in TABLES
        for folder in folders
        for part in folder.parts(name)
    )


def columns_to_compare(name: str) -> list[str]:
    """Return the columns of a table that `find_conflicts` needs."""
    if name not in IDENTITIES:
        return [*TABLES[name].names, PART]
    return list(dict.fromkeys([IDENTITIES[name], "status", *_ABOUT[name], *MEASURED[name], PART]))


def find_conflicts(rows: pl.DataFrame, name: str) -> list[Conflict]:
    """Find rows with status `ok` and one identity that differ in measured columns.

    Args:
        rows: All rows of a table, with `PART`.
        name: A table of `IDENTITIES`.
    """
    identity, about, measured = IDENTITIES[name], _ABOUT[name], MEASURED[name]
    fine = rows.filter(pl.col("status") == "ok")
    none_held_out = pl.col("held_out_count").fill_null(0)  # of version 4 and before
    groups = (
        fine.filter(pl.col(identity).is_duplicated())
        .with_columns(none_held_out)
        .group_by(identity, maintain_order=True)
        .agg(
            pl.struct(pl.col(about).first()).alias("about"),
            pl.struct(pl.col(measured).n_unique() > 1).alias("differs"),
            pl.col(PART).unique(maintain_order=True),
        )
    )
    return [
        Conflict(
            identity=row[identity],
            about=row["about"],
            differing=tuple(column for column in measured if row["differs"][column]),
            parts=tuple(row[PART]),
        )
        for row in groups.sort(identity).iter_rows(named=True)
        if any(row["differs"].values())
    ]
