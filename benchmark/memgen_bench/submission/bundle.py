"""The bundle of a submission: a folder with rows, plugin, report, and a digest over all of it."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from memgen_bench.errors import DamagedError, UsageError, one_line
from memgen_bench.files.atomic import write_atomically
from memgen_bench.hashing import canonical
from memgen_bench.plan.suite import Suite
from memgen_bench.results.environment import code_commit, environment
from memgen_bench.results.schemas import TABLES

if TYPE_CHECKING:
    from memgen_bench.plugin.registry import Plugin

MANIFEST = "submission.json"
READINGS, NETWORKS, REPORT = "readings.parquet", "networks.parquet", "check.md"
_LARGEST = 1 << 20  # bytes of a manifest
_MOST_ROWS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A submission as it lies in its folder.

    Attributes:
        folder: The folder.
        decoder: The decoder's name.
        suite: The suite that its rows are of.
        plugin: Where the decoder comes from: `name`, `distribution`, `version`, and `file`, the
            name of a plugin file within the bundle or null.
        about: Versions, machine, commit and date of the computation.
        files: SHA-256 of each file but the manifest, by name.
    """

    folder: Path
    decoder: str
    suite: Suite
    plugin: dict[str, Any]
    about: dict[str, Any]
    files: dict[str, str]

    @property
    def digest(self) -> str:
        """A digest over all that the manifest says, and so over all files."""
        text = json.dumps(canonical(self._manifest()), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def plugin_files(self) -> list[Path]:
        """The plugin file of the bundle; none where the decoder is of a package."""
        return [self.folder / self.plugin["file"]] if self.plugin["file"] else []

    def readings(self) -> pl.DataFrame:
        """Return the decoder's rows of the table of readings."""
        return _rows(self.folder / READINGS, "readings")

    def networks(self) -> pl.DataFrame:
        """Return the rows of the networks that they are of."""
        return _rows(self.folder / NETWORKS, "networks")

    def _manifest(self) -> dict[str, Any]:
        return {
            "decoder": self.decoder,
            "suite": self.suite.model_dump(mode="json"),
            "plugin": self.plugin,
            "about": self.about,
            "files": self.files,
        }

    def write_manifest(self) -> None:
        """Write the manifest, which seals the bundle."""
        text = json.dumps({**self._manifest(), "digest": self.digest}, indent=2, sort_keys=True)
        write_atomically(self.folder / MANIFEST, f"{text}\n".encode())


def require_free(folder: Path) -> None:
    """Require that a folder is not there yet, or empty.

    Raises:
        UsageError: It is a file, or holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; name one that is not there yet")


def write_bundle(
    folder: Path,
    decoder: str,
    suite: Suite,
    plugin: Plugin,
    *,
    readings: pl.DataFrame,
    networks: pl.DataFrame,
    report: str,
) -> Bundle:
    """Write a bundle and return it.

    Args:
        folder: A folder that is not there yet, or empty.
        decoder: The decoder's name.
        suite: The suite that the rows are of.
        plugin: The decoder's plugin; a plugin file is copied.
        readings: The decoder's rows.
        networks: The rows of their networks.
        report: The report of the contract's checks, in Markdown.

    Raises:
        UsageError: The folder holds something.
        WriteError: The folder cannot be written to.
    """
    require_free(folder)
    source = Path(plugin.file) if plugin.distribution == "file" else None
    contents = {READINGS: _parquet(readings), NETWORKS: _parquet(networks), REPORT: report.encode()}
    if source:
        contents[source.name] = source.read_bytes()
    for name, content in contents.items():
        write_atomically(folder / name, content)
    bundle = Bundle(
        folder=folder,
        decoder=decoder,
        suite=suite,
        plugin={
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "file": source.name if source else None,
        },
        about={"environment": json.loads(environment()), "code_commit": code_commit()},
        files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    )
    bundle.write_manifest()
    return bundle


def _parquet(rows: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    rows.write_parquet(content, compression="zstd")
    return content.getvalue()


def _rows(path: Path, name: str) -> pl.DataFrame:
    """Read a table of a bundle.

    Raises:
        DamagedError: It is no Parquet, has too many rows, or other columns than the table.
    """
    try:
        if pq.read_metadata(path).num_rows > _MOST_ROWS:
            raise DamagedError(f"{path} has more than {_MOST_ROWS:,} rows")
        rows = pl.read_parquet(path)
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        raise DamagedError(f"{path} is no Parquet that can be read ({one_line(error)})") from None
    expected = pl.from_arrow(TABLES[name].empty_table())
    assert isinstance(expected, pl.DataFrame)
    if rows.schema != expected.schema:
        raise DamagedError(f"{path} has other columns than the {name} of this version")
    return rows


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle and compare all digests.

    Raises:
        UsageError: There is no bundle.
        DamagedError: It is not as it was written; the message names the file.
    """
    path = folder / MANIFEST
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise UsageError(f"{folder} holds no {MANIFEST}: is it what `memgen-bench submit` wrote?")
    try:
        told = json.loads(path.read_text())
        stated = told.pop("digest")
        bundle = Bundle(folder=folder, **{**told, "suite": Suite.model_validate(told["suite"])})
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{path} is not a manifest of this version ({error})") from None
    if bundle.digest != stated:
        raise DamagedError(f"{path} was changed after it was written: its digest does not fit")
    for name, expected in bundle.files.items():
        _require(folder, name, expected)
    if bundle.plugin["file"] not in (None, *bundle.files):
        raise DamagedError(f"{path} names a plugin file that it has no digest of")
    return bundle


def _require(folder: Path, name: str, expected: str) -> None:
    if Path(name).name != name or name.startswith("."):
        raise DamagedError(f"{folder / MANIFEST} names {name!r}, which is not a file beside it")
    file = folder / name
    if not file.is_file() or file.is_symlink():
        raise DamagedError(f"{file} is not there, though {MANIFEST} names it")
    if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
        raise DamagedError(f"{file} was changed after it was submitted: its SHA-256 does not fit")
