"""Which run computes which network: one run at a time, on one results folder, on any machine."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from memgen_bench.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

_FILE = ".lock"


class Locks:
    """Locks of one results folder, one for each network, that last as long as their process.

    They are locks on single bytes of one file: the system drops them when the process is gone,
    however it went; nothing is left behind, and nothing has to be cleaned up. Between machines
    they work where the file system supports them, as NFS does.

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
        """Take a lock, or say at once that somebody else has it."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except (BlockingIOError, PermissionError):  # systems differ in which
            return False
        return True

    def give_back(self, name: str) -> None:
        """Give a lock back."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def _place(name: str) -> int:
    """Return the byte that stands for a network's identity, which is a hexadecimal number."""
    return int(name[:15] or "0", 16)
