"""Child processes for calls that may hang, run out of memory, or crash."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil

from memgen_bench import global_state
from memgen_bench.errors import (
    DamagedError,
    DataError,
    DataNotFoundError,
    MemgenError,
    PluginError,
    TrainingError,
    UsageError,
    WriteError,
    blame_plugins,
    one_line,
    text_of,
)
from memgen_bench.files.standard_streams import open_standard_streams
from memgen_bench.workers import supervisor
from memgen_bench.workers.printed import Printed

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds between two looks of a child at whether its parent still runs.
_GLANCE = 1.0
_PATIENCE = 5.0  # seconds that a process has to end
# A child's program; the search path comes first, for the current folder may hold anything.
_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); "
    "from memgen_bench.workers.child import main; main()"
)
_OUR_ERRORS = (
    *(MemgenError, DamagedError, DataError, DataNotFoundError, PluginError, TrainingError),
    *(UsageError, WriteError),
)


class ChildLost(Exception):  # noqa: N818 - an event, not a fault of this code
    """A child process ended before its call returned.

    Args:
        error_type: `timeout` or `crash`; `stopped` where somebody stopped the children.
        message: One line.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Child:
    """A persistent child process that makes one call at a time.

    It is a program of its own: it does not run the caller's main module again, and it may be the
    child of a daemon.

    Attributes:
        changed: Whether a plugin changed its global state for good, so that no other call should
            be made in it.
    """

    def __init__(self) -> None:
        self.changed = False
        open_standard_streams()
        ours, theirs = socket.socketpair()
        self._pipe = Connection(ours.detach())
        number = str(theirs.fileno())
        child = [sys.executable, "-P", "-c", _START, number, json.dumps(_search_path())]
        watched = [sys.executable, "-I", "-S", supervisor.__file__, str(os.getpid()), number]
        self._process = subprocess.Popen(
            [*watched, *child],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        theirs.close()
        assert self._process.stdout is not None  # it is a pipe
        self._printed = Printed(self._process.stdout)

    def call(
        self,
        function: str,
        *args: Any,
        report: Callable[[Any], None],
        timeout: float | None = None,
    ) -> Any:
        """Return `function(*args, report)`, computed in the child.

        Args:
            function: The function's name, `package.module:name`; it is imported in the child.
            args: The arguments of the function, without `report`.
            report: Called here with each report of the function.
            timeout: Most seconds from one report to the next, or to the end.

        Raises:
            ChildLost: The process has ended, and this object cannot be used any more.
            MemgenError: The function raised an error.
        """
        try:
            self._pipe.send((function, args))
            self._pipe.recv()  # the function is imported: its time begins
            while True:
                if not self._pipe.poll(timeout):
                    self.kill()
                    raise ChildLost("timeout", f"took longer than {timeout:g} s; see --timeout")
                kind, value = self._pipe.recv()
                if kind == "report":
                    report(value)
                elif kind == "changed":
                    self.changed = True
                elif kind == "error":
                    raise value
                else:
                    return value
        except (EOFError, OSError) as error:
            raise ChildLost("crash", self._ending()) from error

    def kill(self) -> None:
        """Kill the process and all processes that it started."""
        assert self._process.stdin is not None  # it is a pipe
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # its supervisor does it
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_PATIENCE)
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = psutil.Process(self._process.pid)
            for process in (*tree.children(recursive=True), tree):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.wait()
        self._pipe.close()

    def close(self) -> None:
        """Let the process end by itself; it must be idle."""
        self._pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self.kill()

    def _ending(self) -> str:
        """Return how the process ended, once it has, and the last line that it printed."""
        try:
            code = self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        self.kill()
        self._printed.join(timeout=_PATIENCE)
        last = f"; it printed last: {self._printed.last}" if self._printed.last else ""
        if code is None:
            return f"its process closed the connection to the run{last}"
        if code >= 0:
            return f"its process ended with exit code {code}{last}"
        hint = "; out of memory?" if code == -signal.SIGKILL else ""
        return f"its process was ended by signal {signal.Signals(-code).name}{hint}{last}"


class Children:
    """Children that are lent out and come back; each call has one for itself.

    Whoever makes them ends them: as a context manager they are closed, or stopped after an error.
    """

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._busy: list[Child] = []
        self._open = True
        self._lock = threading.Lock()

    def call(
        self,
        function: str,
        *args: Any,
        report: Callable[[Any], None] = lambda _: None,
        timeout: float | None = None,
    ) -> Any:
        """Make a call in an idle child, or a new one; see `Child.call`."""
        with self._lock:
            if not self._open:
                raise ChildLost("stopped", "the run was stopped")
            child = self._idle.pop() if self._idle else Child()
            self._busy.append(child)
        usable = False
        try:
            answer = child.call(function, *args, report=report, timeout=timeout)
            usable = not child.changed
            return answer
        except MemgenError:
            usable = not child.changed
            raise
        except ChildLost:
            if not self._open:
                raise ChildLost("stopped", "the run was stopped") from None
            raise
        finally:
            self._take_back(child, usable=usable)

    def _take_back(self, child: Child, *, usable: bool) -> None:
        with self._lock:
            self._busy.remove(child)
            if usable and self._open:
                self._idle.append(child)
                return
        child.kill()

    def stop(self) -> None:
        """Kill all children, also those that are in the middle of a call; no more are made."""
        with self._lock:
            self._open = False
            for child in (*self._idle, *self._busy):
                child.kill()
            self._idle.clear()

    def close(self) -> None:
        """Let idle children end; later calls start new ones."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close() if error[0] is None else self.stop()


def _search_path() -> list[str]:
    """Return where children find modules: as here, but the current folder hides none of them."""
    here = str(Path.cwd())
    others = [folder for folder in sys.path if folder not in ("", ".", here)]
    return others if len(others) == len(sys.path) else [*others, here]


def main() -> None:
    """Answer calls, as a program whose first argument is the number of its pipe."""
    serve(Connection(int(sys.argv[1])))


def serve(pipe: Connection) -> None:
    """Answer the calls that come through a pipe until it is closed."""
    own = os.getpid()

    def stop(number: int, _: Any) -> None:
        if os.getpid() != own:  # a process that a plugin forked
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in supervisor.STOPS:  # sent to all processes of a run: its own decides
        signal.signal(number, stop)
    blame_plugins()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, args = pipe.recv()
            try:
                function = _found(name, pipe)
                with global_state.preserved():
                    answer = ("result", function(*args, lambda news: pipe.send(("report", news))))
            except BaseException as error:
                answer = ("error", _known(error))
            if global_state.lasting_changes:
                pipe.send(("changed", None))
            pipe.send(answer)
    _leave()


def _known(error: BaseException) -> MemgenError:
    """Return an error that the parent knows, and can unpickle."""
    if type(error) in _OUR_ERRORS:
        return error  # type: ignore[return-value] # it is one of them
    return MemgenError(text_of(error) if isinstance(error, MemgenError) else one_line(error))


def _found(name: str, pipe: Connection) -> Callable[..., Any]:
    """Import a function, and tell the parent when this is done or has failed."""
    try:
        function: Callable[..., Any] = pkgutil.resolve_name(name)
        return function
    finally:
        pipe.send("started")


def _leave() -> None:
    """End this process without taking all that was imported apart, which takes a second."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _end_with(parent: int) -> None:
    """End this process when its parent has ended, also during a call."""
    while os.getppid() == parent:
        time.sleep(_GLANCE)
    os._exit(1)
