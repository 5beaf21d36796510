"""Parts: Parquet files that are written once, with the hash of their contents in their names."""

from __future__ import annotations

import hashlib
import io
import re
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from memgen_bench.errors import DamagedPartError, StoreError, VanishedPartError, one_line
from memgen_bench.files.atomic import write_atomically
from memgen_bench.files.regular import read_regular
from memgen_bench.results import schemas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PART = "part"  # an optional column with the file that a row comes from
_MANY_ROWS = 10_000_000  # a part that is written has a hundredth of them
_NAME = re.compile(r".+-(?P<hash>[0-9a-f]{12})\.parquet")


def write_part(folder: Path, name: str, prefix: str, part: pa.Table) -> Path:
    """Add a part to a table; its name has the hash of its contents, so none is written twice.

    Args:
        folder: The results folder.
        name: One of `schemas.TABLES`.
        prefix: The beginning of its name: a network's id, or a suite.
        part: The rows.

    Returns:
        The path of the part.

    Raises:
        WriteError: The part cannot be written; no file is left behind.
    """
    buffer = io.BytesIO()
    # Statistics are not used, and would be a quarter of a small part.
    pq.write_table(part, buffer, compression="zstd", write_statistics=False)
    content = buffer.getvalue()
    path = folder / name / f"{prefix}-{_hash(content)}.parquet"
    if not path.exists():
        write_atomically(path, content)
    return path


def copy_part(path: Path, folder: Path, name: str) -> bool:
    """Add a part to another results folder, and return whether it was new there.

    Raises:
        StoreError: The part is damaged.
        WriteError: The part cannot be written; no file is left behind.
    """
    target = folder / name / path.name
    if target.exists():
        return False
    write_atomically(target, _checked(path))
    return True


def list_parts(folder: Path, name: str) -> list[Path]:
    """Return the parts of a table in a fixed order.

    Raises:
        StoreError: There is no such folder.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder}: no such results folder; make one with memgen-bench run")
    return sorted((folder / name).glob("*.parquet"))


def read_parts(versions: Mapping[Path, int], name: str, columns: Sequence[str]) -> pl.DataFrame:
    """Return some columns of checked parts; columns that an older version lacks are null.

    Args:
        versions: The parts, and what `version_of` says of each.
        name: One of `schemas.TABLES`.
        columns: What to read; `PART` may be among them.

    Raises:
        StoreError: A part is not of its version's schema, or gone.
    """
    paths: dict[int, list[Path]] = {}
    for path, version in versions.items():
        paths.setdefault(version, []).append(path)
    frames = [_scan(paths[version], name, version, columns) for version in sorted(paths)]
    return pl.concat([_no_rows(name).select(columns), *frames], rechunk=True)


def version_of(path: Path) -> int:
    """Check a part, every byte of which counts in the hash in its name; return its version.

    Raises:
        DamagedPartError: Its contents do not match the hash in its name.
        StoreError: It is of a newer version, no part of memgen-bench, or gone.
    """
    content = _checked(path)
    try:
        version = int(pl.read_parquet_metadata(content).get(schemas.VERSION_KEY, "0"))
    except (pl.exceptions.PolarsError, ValueError):
        version = 0
    if version < 1:
        raise _not_ours(path)
    if version > schemas.SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema version {version} is newer than this memgen-bench reads "
            f"({schemas.SCHEMA_VERSION}); upgrade it"
        )
    return version


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _checked(path: Path) -> bytes:
    """Return a part's contents, checked against the hash in its name."""
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise _not_ours(path)
    try:
        content = read_regular(path)
    except FileNotFoundError as error:
        raise VanishedPartError(path) from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    if _hash(content) != named["hash"]:
        raise DamagedPartError(path, "its contents are not what was written")
    return content


def _not_ours(path: Path) -> StoreError:
    return StoreError(f"{path}: not a results file of memgen-bench; move it elsewhere")


def _scan(paths: list[Path], name: str, version: int, columns: Sequence[str]) -> pl.DataFrame:
    """Read some columns of parts of one schema version."""
    then = pl.DataFrame(schemas.schema_of(name, version).empty_table()).schema
    source = PART if PART in columns else None
    parts = pl.scan_parquet(
        paths, schema=then, glob=False, hive_partitioning=False, include_file_paths=source
    )
    now = _no_rows(name).schema
    added = [
        pl.lit(None, now[column]).alias(column) for column in now if column not in (*then, PART)
    ]
    try:
        _refuse_bombs(parts, paths)
        return parts.with_columns(added).select(columns).collect()
    except FileNotFoundError as error:
        raise VanishedPartError(str(error)) from error
    except pl.exceptions.PolarsError as error:
        wrong = next((path for path in paths if pl.read_parquet_schema(path) != then), None)
        if wrong is None:
            raise StoreError(f"{paths[0].parent}: cannot be read ({one_line(error)})") from error
        raise _not_ours(wrong) from error


def _refuse_bombs(parts: pl.LazyFrame, paths: list[Path]) -> None:
    """Refuse parts of very many rows, which take few bytes where all of them are equal."""
    if parts.select(pl.len()).collect().item() <= _MANY_ROWS:
        return
    for path in paths:
        if pq.read_metadata(path).num_rows > _MANY_ROWS:
            raise _not_ours(path)


def _no_rows(name: str) -> pl.DataFrame:
    empty = pl.DataFrame(schemas.TABLES[name].empty_table())
    return empty.with_columns(pl.lit("").alias(PART))
