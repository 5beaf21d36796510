"""Writing files so that a reader sees all of one or nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from memgen_bench.errors import MemgenError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to disk, and give it its name.

    Args:
        path: Where it goes; missing parent folders are made.
        content: What it holds.

    Raises:
        MemgenError: The disk is full or the folder not writable; nothing is left behind.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise MemgenError(
            f"cannot write {path}: {error.strerror or error}; make room or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
