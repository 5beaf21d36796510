"""Files that are read whole: regular ones of a plausible size."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 8 << 30  # bytes of a file of ours


def read_regular(path: Path, most: int = LARGEST) -> bytes:
    """Return a file's contents; pipes, devices and sockets, which may never end, are not opened.

    Raises:
        OSError: It cannot be read, is no regular file, or has more than `most` bytes; `strerror`
            says which.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "not a regular file; move it elsewhere", str(path))
        if status.st_size > most:
            size = (
                f"{status.st_size / 2**30:.0f} GiB, more than a file of memgen-bench has; move it"
            )
            raise OSError(None, size, str(path))
        return file.read()
