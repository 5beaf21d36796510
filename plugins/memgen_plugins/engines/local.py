"""Engines that compute networks in this process, or in child processes."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from memgen_bench import Report


class SerialEngine:
    """Runs each function at once in this process, when it is submitted.

    Args:
        report: Called with each report of a function.
    """

    slots = 1

    def __init__(self, report: Report) -> None:
        self._report = report

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a function now, and return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, self._report))
        except Exception as error:
            future.set_exception(error)
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class ProcessEngine:
    """Runs functions, which wait for a child process each, in threads.

    Args:
        jobs: Number of functions that run at once.
        report: Called with each report of a function, in its thread.
    """

    def __init__(self, jobs: int, report: Report) -> None:
        self.slots, self._report = jobs, report
        self._threads = ThreadPoolExecutor(jobs, "memgen")

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start a function in the next free thread."""
        return self._threads.submit(function, *args, self._report)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=error[0] is not None)
