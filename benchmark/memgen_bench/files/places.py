"""Where data, trained networks and results are, unless somebody says otherwise."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from memgen_bench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


DEFAULT_RESULTS = Path("memgen-results")


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where data sets and trained networks are.

    Attributes:
        data_dir: The data root.
        cache_dir: The cache, where networks are written to.
        shared_caches: Further folders of trained networks, only read.
    """

    data_dir: Path
    cache_dir: Path
    shared_caches: tuple[Path, ...] = ()

    def network_folders(self) -> tuple[Path, ...]:
        """Return the folders of trained networks, the one that is written to first.

        Raises:
            UsageError: A shared one is not there, or is a whole cache.
        """
        return network_dir(self.cache_dir), *map(_shared_folder, self.shared_caches)

    def resolved(self) -> Places:
        """Return the same data root and cache, for processes in other working directories."""
        return replace(self, data_dir=self.data_dir.resolve(), cache_dir=self.cache_dir.resolve())


def find_places(
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    shared_caches: Iterable[str | Path] | None = None,
) -> Places:
    """Return the named places, and the default ones for the others."""
    return Places(
        data_dir=named_path(data_dir or default_data_dir()),
        cache_dir=named_path(cache_dir or default_cache_dir()),
        shared_caches=tuple(named_path(folder) for folder in shared_caches or ()),
    )


def named_path(path: str | Path) -> Path:
    """Return a path that a user named; a `~` at its beginning is their home.

    Raises:
        UsageError: Nobody knows where that home is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path}: {error}; name a whole path") from None


def default_data_dir() -> Path:
    """Return the data root: `MEMGEN_DATA`, or a folder in the platform's cache."""
    named = os.environ.get("MEMGEN_DATA")
    return named_path(named) if named else platformdirs.user_cache_path("memgen-bench") / "data"


def default_cache_dir() -> Path:
    """Return the folder of the cache: `MEMGEN_CACHE`, or one in the platform's cache."""
    named = os.environ.get("MEMGEN_CACHE")
    return named_path(named) if named else platformdirs.user_cache_path("memgen-bench")


def network_dir(cache_dir: Path) -> Path:
    """Return the folder of trained networks in a cache."""
    return cache_dir / "networks"


def _shared_folder(named: Path) -> Path:
    folder = named.resolve()
    if not folder.is_dir():
        raise UsageError(f"--shared-cache {folder}: there is no such folder")
    if (below := network_dir(folder)).is_dir():
        raise UsageError(f"--shared-cache {folder}: that is a whole cache; name {below}")
    return folder
