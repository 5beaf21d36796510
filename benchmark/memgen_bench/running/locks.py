"""Locks of networks, so that only one run on a results folder computes each, on any machine."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from memgen_bench.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

_FILE = ".lock"


class Locks:
    """Locks of one results folder, one for each network, held at most as long as their process.

    They are locks on single bytes of one file. The system drops them when the process ends in any
    way, so nothing has to be cleaned up. Between machines they work if the file system supports
    them, as NFS does.

    Args:
        folder: The results folder.

    Raises:
        StoreError: The folder is not writable, or its file system has no locks.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT, 0o644)
            self.take("")
            self.give_back("")
        except OSError as error:
            raise StoreError(
                f"cannot write {folder / _FILE}: {error.strerror or error}; choose another folder"
            ) from error

    def take(self, name: str) -> bool:
        """Take a lock and return True, or return False at once if another process has it."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except (BlockingIOError, PermissionError):  # systems differ in which
            return False
        return True

    def give_back(self, name: str) -> None:
        """Release a lock."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def _place(name: str) -> int:
    """Return the position of the byte that stands for a network's id, a hexadecimal number."""
    return int(name[:15] or "0", 16)
