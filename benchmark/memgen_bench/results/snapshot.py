"""A results folder at one moment: each part is checked once, however often its rows are read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memgen_bench.errors import VanishedPartError
from memgen_bench.results.parts import list_parts, read_parts, version_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl


class Snapshot:
    """The parts of a results folder as they are when a table is first asked for.

    Parts that come later do not count before `refresh`, which costs a check of those alone. Where
    parts vanish meanwhile, the folder was compacted: their rows are in other parts, and the table
    is listed anew.

    Args:
        folder: The results folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listed: dict[str, list[Path]] = {}
        self._versions: dict[Path, int] = {}

    def refresh(self) -> None:
        """Let parts count that came since; those that are known are not checked again."""
        self._listed.clear()

    def parts(self, name: str) -> list[Path]:
        """Return the parts of a table in a fixed order.

        Raises:
            StoreError: There is no such folder.
        """
        if name not in self._listed:
            self._listed[name] = list_parts(self.folder, name)
        return self._listed[name]

    def rows(self, name: str, columns: Sequence[str]) -> pl.DataFrame:
        """Return some columns of all rows of a table; see `read_parts`.

        Raises:
            StoreError: There is no such folder, or a part is damaged or of a newer version.
        """
        parts = self.parts(name)
        try:
            return self._read(parts, name, columns)
        except VanishedPartError:
            del self._listed[name]
            if self.parts(name) == parts:
                raise
            return self.rows(name, columns)

    def later_rows(self, name: str, prefix: str, columns: Sequence[str]) -> pl.DataFrame:
        """Return likewise the rows of parts that came since and whose names begin with `prefix`.

        Raises:
            StoreError: A part is damaged or of a newer version.
        """
        parts = self._later_parts(name, prefix)
        try:
            return self._read(parts, name, columns)
        except VanishedPartError:
            if self._later_parts(name, prefix) == parts:
                raise
            return self.later_rows(name, prefix, columns)

    def _later_parts(self, name: str, prefix: str) -> list[Path]:
        folder, known = self.folder / name, self._listed.get(name, [])
        if not folder.is_dir():
            return []
        with os.scandir(folder) as files:  # there may be very many: a path of each takes long
            names = sorted(file.name for file in files if file.name.startswith(prefix))
        paths = (folder / file for file in names if file.endswith(".parquet"))
        return [path for path in paths if path not in known]

    def _read(self, parts: Sequence[Path], name: str, columns: Sequence[str]) -> pl.DataFrame:
        for part in parts:
            if part not in self._versions:
                self._versions[part] = version_of(part)
        return read_parts({part: self._versions[part] for part in parts}, name, columns)
