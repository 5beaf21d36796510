"""Threads, child processes and open files, which a call may leave running."""

from __future__ import annotations

import _thread
import os
import time
from contextlib import suppress

_FILES_LEFT_OPEN = 64  # more than these are too many
_PATIENCE = 0.2  # seconds that threads and processes have to end
_LISTS_CHILDREN = os.path.exists("/proc/thread-self/children")  # noqa: PTH110 - no pathlib here


def count_running() -> dict[str, int]:
    """Count threads, processes and open files, which may outlive a call."""
    return {"threads": _thread._count(), "processes": _children(), "open files": _open_files()}


def _children() -> int:
    """Return the number of child processes that run."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:  # there is none
        return 0
    return sum(map(_runs, _child_ids()))


def _runs(number: int) -> bool:
    """Whether a process has not ended; one that nobody waited for yet has."""
    if not _LISTS_CHILDREN:
        import psutil

        try:
            return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:  # it has just ended
            return False
    try:
        with open(f"/proc/{number}/stat") as file:  # noqa: PTH123 - ten times as fast as psutil
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # it has just ended
        return False


def _child_ids() -> list[int]:
    """Return the ids of child processes: Linux knows those of each thread.

    Elsewhere all processes of the machine are looked at, which takes a hundred times as long.
    """
    if not _LISTS_CHILDREN:
        import psutil

        return [child.pid for child in psutil.Process().children()]
    found: list[int] = []
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - as for open files
        with suppress(OSError), open(f"/proc/self/task/{thread}/children") as file:  # noqa: PTH123
            found += map(int, file.read().split())
    return found


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - three times as fast
    except OSError:  # another system
        return 0


def still_running(before: dict[str, int]) -> list[str]:
    """Return the names of those that have become more since; they get a moment to end."""
    allowed = before | {"open files": before["open files"] + _FILES_LEFT_OPEN}
    until = time.monotonic() + _PATIENCE
    while left := [name for name, count in count_running().items() if count > allowed[name]]:
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    return left
