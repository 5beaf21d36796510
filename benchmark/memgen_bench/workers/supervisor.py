"""The supervisor of a child: when the child or its caller ends, all that the child started ends.

It is a program that needs the standard library alone, so that it starts in a moment. As the
subreaper of the child it becomes the parent of processes that lost theirs, daemons included.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
from pathlib import Path

_PARENT_DEATH_SIGNAL, _CHILD_SUBREAPER = 1, 36  # of Linux's prctl
_GLANCE = 1.0  # seconds between two looks at whether the caller still runs
# Signals that clusters and terminals send to all processes of a run: the caller decides.
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def prctl(option: int, value: int) -> None:
    """Set a property of this process, where the system is Linux."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def supervise(caller: int, socket: int, command: list[str]) -> int:
    """Run a command until it or the caller ends, and end all that it started.

    Args:
        caller: The id of the calling process, which is this one's parent.
        socket: The number of an open file that is the command's alone.
        command: The command and its arguments.

    Returns:
        The exit code of the command, or minus the number of the signal that ended it.
    """
    prctl(_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (*STOPS, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    own = os.getpid()
    child = os.fork()
    if not child:
        prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if os.getppid() == own:
            os.execv(command[0], command)
        os._exit(1)
    os.close(socket)
    ended = _wait(caller, child, woken)
    _kill_all(child if ended is None else None)
    return -signal.SIGKILL if ended is None else os.waitstatus_to_exitcode(ended)


def _wait(caller: int, child: int, woken: int) -> int | None:
    """Return the status of the child when it has ended; None if it is to end.

    That is so when the caller has ended, or has closed its end of the standard input.
    """
    watched = [0, woken]
    with contextlib.suppress(AttributeError, OSError):
        watched.append(os.pidfd_open(caller))
    while os.getppid() == caller:
        for pid, status in _reap():
            if pid == child:
                return status
        ready, _, _ = select.select(watched, [], [], _GLANCE)
        if 0 in ready:
            return None
        if woken in ready:
            os.read(woken, 4096)
    return None


def _reap() -> list[tuple[int, int]]:
    """Return the ids and statuses of children that have ended."""
    found = []
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found.append(ended)
    return found


def _kill_all(child: int | None) -> None:
    """Kill all children, those that become children by the death of others included."""
    with contextlib.suppress(ChildProcessError):
        while left := {*_children(), *([child] if child else [])}:
            child = None
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    """Return the ids of this process's children."""
    own, found = os.getpid(), []
    for folder in Path("/proc").glob("[0-9]*"):  # none on other systems
        with contextlib.suppress(OSError, ValueError, IndexError):
            status = (folder / "stat").read_text("utf-8", "replace")
            if int(status.rpartition(")")[2].split()[1]) == own:
                found.append(int(folder.name))
    return found


def _end_like(code: int) -> None:
    """End as the command did, so that the caller learns how."""
    if code < 0 and -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    _end_like(supervise(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
