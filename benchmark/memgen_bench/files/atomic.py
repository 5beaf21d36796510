"""Writing files so that a reader sees all of one or nothing."""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
import time
from pathlib import Path

import psutil

from memgen_bench.errors import WriteError

# A file that is being written is called `.memgen-<machine>-<process>-<random>.tmp`.
_PREFIX, _SUFFIX = ".memgen-", ".tmp"
_A_DAY = 24 * 60 * 60.0


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to disk, and give it its name.

    Args:
        path: Where it goes; missing parent folders are made.
        content: What it holds.

    Raises:
        WriteError: The disk is full or the folder not writable; nothing is left behind.
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
            f"cannot write {path}: {error.strerror or error}; make room or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the half-written files of killed writers anywhere below a folder.

    A writer of this machine is gone when its process is. Of one elsewhere that shares the folder
    nobody here can tell, so its file goes only when it has not been touched for a day.
    """
    for path in folder.rglob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):  # gone already, or somebody else's: no harm done
            if _abandoned(path):
                path.unlink()


def sync_folder(folder: Path) -> None:
    """Make sure that files which were just named in a folder survive a loss of power."""
    if hasattr(os, "O_DIRECTORY"):  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _machine() -> str:
    """Return where a process's number means something: a host, or a container on it."""
    processes = Path("/proc/self/ns/pid")
    inode = f"{processes.stat().st_ino:x}" if processes.exists() else ""
    return f"{platform.node()}-{inode}"


def _abandoned(path: Path) -> bool:
    if time.time() - path.stat().st_mtime > _A_DAY:
        return True
    machine, process, _ = path.name.removeprefix(_PREFIX).rsplit("-", 2)
    return machine == _machine() and not _runs(int(process))


def _runs(process: int) -> bool:
    try:
        status = psutil.Process(process).status()
    except psutil.NoSuchProcess:
        return psutil.pid_exists(process)  # it may be another user's, and hidden
    return bool(status != psutil.STATUS_ZOMBIE)
