"""Merging results folders: the union of their parts, unless their rows contradict each other."""

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
    """Fine rows of one identity that differ in what was computed.

    Attributes:
        identity: A reading's key, or a network's identity.
        about: What that is, column by column.
        differing: The columns in which the rows differ.
        parts: The files that hold them.
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
    """Results folders that contradict each other; `conflicts` says where."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(
            f"nothing was merged (conflicts: {len(conflicts)}): one thing was computed twice, with "
            "different results; set the parts that are wrong aside, or, where all of them are in "
            "one folder and the newest is right, use memgen-bench results compact"
        )
        self.conflicts = conflicts


def merge(into: Path, sources: Sequence[Path]) -> int:
    """Copy the parts of results folders into another one, which may not be there yet.

    Args:
        into: Where they go.
        sources: Where they are.

    Returns:
        How many were not there yet.

    Raises:
        ConflictError: Fine rows of one identity differ in what was computed; nothing was copied.
        StoreError: A folder is not there, or a part is damaged or of a newer version; likewise.
        WriteError: A part cannot be written; the same command goes on from there.
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
    # Networks go first and plans last, as in a run: what is there is never without its context.
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
    """Find fine rows of one identity that differ in what was computed.

    Args:
        rows: All rows of a table, with `PART`.
        name: `readings` or `networks`.
    """
    identity, about, measured = IDENTITIES[name], _ABOUT[name], MEASURED[name]
    fine = rows.filter(pl.col("status") == "ok")
    groups = (
        fine.filter(pl.col(identity).is_duplicated())
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
