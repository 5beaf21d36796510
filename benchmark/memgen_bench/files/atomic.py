"""Atomic writes: a reader sees a whole file or none."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import stat
import tempfile
import time
from pathlib import Path

import psutil

from memgen_bench.errors import WriteError

# The name of a file while it is written: `.memgen-<machine>-<process>-<random>.tmp`.
_PREFIX, _SUFFIX = ".memgen-", ".tmp"
_NAME = re.compile(r"\.memgen-(?P<machine>.+)-(?P<process>\d{1,9})-[^-]+\.tmp")
_A_DAY = 24 * 60 * 60.0


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to disk, and rename it.

    Args:
        path: The file; missing parent folders are created.
        content: The bytes to write.

    Raises:
        WriteError: The disk is full, or the folder is not writable; no file is left behind.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f"{_PREFIX}{_machine()}-{os.getpid()}-"
        handle, temporary = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror or error}; make room, or name another folder "
            "(as with --results or --cache-dir)"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that killed processes left anywhere below a folder.

    A file of this machine is left over if its process has ended. A file of another machine that
    shares the folder is removed only if it has not been changed for a day. What has another name,
    or is no file, is not ours and stays.
    """
    for path in folder.rglob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):  # removed meanwhile, or another user's
            if stat.S_ISREG(path.lstat().st_mode) and _abandoned(path):
                path.unlink()


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that files just renamed in it survive a loss of power."""
    if hasattr(os, "O_DIRECTORY"):  # other systems cannot open a folder
        handle = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _machine() -> str:
    """Return a name for the scope of process numbers: the host, or a container on it."""
    processes = Path("/proc/self/ns/pid")
    inode = f"{processes.stat().st_ino:x}" if processes.exists() else ""
    return f"{platform.node()}-{inode}"


def _abandoned(path: Path) -> bool:
    named = _NAME.fullmatch(path.name)
    if named is None:
        return False
    if time.time() - path.stat().st_mtime > _A_DAY:
        return True
    return named["machine"] == _machine() and not _runs(int(named["process"]))


def _runs(process: int) -> bool:
    try:
        status = psutil.Process(process).status()
    except psutil.NoSuchProcess:
        return psutil.pid_exists(process)  # another user's process may be hidden
    return bool(status != psutil.STATUS_ZOMBIE)
