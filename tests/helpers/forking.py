"""Processes that are forked from one that has imported all: they start in 20 ms, not in 5 s."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
from importlib.metadata import entry_points
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from memgen_bench.workers import child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.context import ForkServerProcess

IMPORTED = [
    "pytest",  # the main module of a test run is imported again
    "sklearn.model_selection",
    "torch._dynamo",  # optimizers import it when they are made
    "memgen_plugins.decoders.layer.subspace",
    "memgen_bench.running.runner",
    "memgen_bench.results.store",
    "memgen_bench.workers.answers",
    "memgen_bench.workers.network_rows",
    *(plugin.value for plugin in entry_points(group="memgen_bench")),
]


def forked(function: Callable[..., None], *args: Any) -> ForkServerProcess:
    """Start a process that calls a function of a module with this one's environment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    process = context.Process(target=_call, args=(function, args, dict(os.environ)))
    process.start()
    return process


def _call(function: Callable[..., None], args: Any, environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    function(*args)


class ForkedChild:
    """A child as `subprocess.Popen` shows it, started with the same pipe."""

    def __init__(self, command: Sequence[str], *, pass_fds: Sequence[int], **_: Any) -> None:
        with Connection(os.dup(pass_fds[0])) as pipe:
            self._process = forked(_serve, pipe, json.loads(command[-1]))
        self.stdin = self  # to be closed
        self.stdout = Path(os.devnull).open("rb")  # noqa: SIM115 - whoever reads it closes it

    def close(self) -> None:
        """End the process and all that it started, as its supervisor would do."""
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = psutil.Process(self._process.pid)
            for process in (*tree.children(recursive=True), tree):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("child", timeout or 0)
        return self.returncode


def _serve(pipe: Connection, path: Sequence[str]) -> None:
    sys.path[:] = path
    child.serve(pipe)


class Forking:
    """All of `subprocess` that `child` uses."""

    PIPE, STDOUT, TimeoutExpired = subprocess.PIPE, subprocess.STDOUT, subprocess.TimeoutExpired
    Popen = ForkedChild


def fork_children() -> None:
    """Let the runs of a process that was forked fork their children, too."""
    vars(child)["subprocess"] = Forking
