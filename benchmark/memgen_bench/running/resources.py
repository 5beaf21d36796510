"""The processors and the memory that this process may use, which containers limit."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
# The files with the limit and the use of memory, and the name of the cache in its statistics, in
# both versions of control groups.
_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def usable_cpus() -> int:
    """Return the number of processors: affinity and quotas of control groups count."""
    return int(joblib.cpu_count())


def available_memory() -> int:
    """Return the bytes of memory that can be taken without swapping, within all limits."""
    return max(0, min([psutil.virtual_memory().available, *_left_in_groups()]))


def _left_in_groups() -> Iterator[int]:
    """Yield the bytes left in each control group that this process is in, and sets a limit."""
    for folder in _groups():
        for limit, use, cache in _FILES:
            with contextlib.suppress(OSError, ValueError):  # `max` is no limit
                most = int((folder / limit).read_text())
                used = int((folder / use).read_text())
                yield most - used + _of_statistics(folder / "memory.stat", cache)


def _groups() -> Iterator[Path]:
    """Yield the folders of this process's control groups for memory, and of those around them."""
    with contextlib.suppress(OSError):
        for line in _OWN.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):
                root = _CGROUPS / controllers
                own = root / path.lstrip("/")
                yield from (each for each in (own, *own.parents) if each.is_relative_to(root))


def _of_statistics(file: Path, name: str) -> int:
    """Return a number of a group's statistics; 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0
