"""Where networks are computed: in this process, or in worker processes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from pebble import ProcessPool

Report = Callable[[Any], None]


class Engine(Protocol):
    """Runs functions and passes on what they report; a context manager."""

    def submit(
        self, fn: Callable[..., Any], *args: Any, timeout: float | None = None
    ) -> Future[Any]:
        """Start `fn(*args, report)`; its result, exception or time-out comes by the future."""

    def __enter__(self) -> Engine:
        """Be ready for work."""

    def __exit__(self, *error: object) -> None:
        """Finish what was submitted, or, after an error, stop at once."""


class SerialEngine:
    """Runs each function where and when it is submitted; a time-out cannot be kept.

    Args:
        report: Called with what functions report.
    """

    def __init__(self, report: Report) -> None:
        self._report = report

    def submit(
        self, fn: Callable[..., Any], *args: Any, timeout: float | None = None
    ) -> Future[Any]:
        """Run a function now."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, self._report))
        except Exception as error:
            future.set_exception(error)
        return future

    def __enter__(self) -> SerialEngine:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class ProcessEngine:
    """Runs functions in persistent worker processes.

    Args:
        jobs: How many run at once.
        report: Called, in a thread of its own, with what functions report.
    """

    def __init__(self, jobs: int, report: Report) -> None:
        context = multiprocessing.get_context("spawn")  # fork and threaded libraries do not mix
        self._news: Any = context.Queue()
        self._pool: Any = ProcessPool(
            max_workers=jobs, context=context, initializer=_start_worker, initargs=(self._news,)
        )
        self._reader = threading.Thread(target=self._pass_on, args=(report,), daemon=True)

    def submit(
        self, fn: Callable[..., Any], *args: Any, timeout: float | None = None
    ) -> Future[Any]:
        """Give a function to the next free worker; one that is over its time is killed."""
        future: Future[Any] = self._pool.schedule(_call, args=(fn, *args), timeout=timeout)
        return future

    def _pass_on(self, report: Report) -> None:
        for news in iter(self._news.get, None):
            report(news)

    def __enter__(self) -> ProcessEngine:
        self._reader.start()
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._pool.close()
        else:
            self._pool.stop()
        self._pool.join()
        self._news.put(None)
        self._reader.join()
        self._news.close()


_news: Any = None  # set once in each worker process, which is a program of its own


def _start_worker(news: Any) -> None:
    global _news
    _news = news


def _call(fn: Callable[..., Any], *args: Any) -> Any:
    return fn(*args, _news.put)
