"""Compaction: many small parts become few, and superseded rows are dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memgen_bench.files.atomic import remove_leftovers, sync_folder
from memgen_bench.results.parts import version_of, write_part
from memgen_bench.results.schemas import SCHEMA_VERSION, TABLES
from memgen_bench.results.snapshot import Snapshot
from memgen_bench.results.store import counting, to_arrow

if TYPE_CHECKING:
    from pathlib import Path

_ROWS = 100_000  # in one part: readers take several parts at once


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """The result for a table: numbers of parts before and after, and of dropped rows."""

    name: str
    before: int
    after: int
    dropped: int


def compact(folder: Path) -> list[Compacted]:
    """Write the rows that count into few parts of today's schema, and then remove the old ones.

    If this is interrupted, the folder still reads the same: rows that exist twice are equal, and
    one of them counts. Parts that a run adds meanwhile stay unchanged.

    Raises:
        StoreError: The folder does not exist, or a part is damaged or of a newer version.
        WriteError: A part cannot be written.
    """
    done = [_compact(folder, name) for name in TABLES]
    remove_leftovers(folder)
    return done


def _compact(folder: Path, name: str) -> Compacted:
    snapshot = Snapshot(folder)
    rows = snapshot.rows(name, TABLES[name].names)
    old, kept = snapshot.parts(name), counting(rows, name)
    dropped = rows.height - kept.height
    by_name = kept.sort(column for column in ("network_id", "suite", "key") if column in kept)
    pieces = [by_name.slice(start, _ROWS) for start in range(0, kept.height, _ROWS)]
    is_current = all(version_of(part) == SCHEMA_VERSION for part in old)
    if not dropped and len(old) <= len(pieces) and is_current:
        return Compacted(name=name, before=len(old), after=len(old), dropped=0)
    new = [write_part(folder, name, "compact", to_arrow(piece, name)) for piece in pieces]
    sync_folder(folder / name)
    for path in old:
        if path not in new:
            path.unlink(missing_ok=True)
    return Compacted(name=name, before=len(old), after=len(new), dropped=dropped)
