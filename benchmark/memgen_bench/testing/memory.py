"""The peak of this process's memory during a block of code."""

from __future__ import annotations

import threading
from typing import Self

import psutil

_GLANCE = 0.002  # seconds between two looks


class Peak:
    """A context manager that measures the peak of resident memory, by looking again and again.

    Attributes:
        mebibytes: The peak above the memory at the beginning of the block.
    """

    def __init__(self) -> None:
        self._process, self._done = psutil.Process(), threading.Event()
        self._start = self._most = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def mebibytes(self) -> float:
        """The peak above the memory at the beginning of the block."""
        return (self._most - self._start) / 2**20

    def __enter__(self) -> Self:
        self._start = self._most = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(_GLANCE):
            self._look()

    def _look(self) -> None:
        self._most = max(self._most, self._process.memory_info().rss)
