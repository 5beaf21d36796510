"""How much more memory this process takes up at its peak than at the beginning."""

from __future__ import annotations

import threading
from typing import Self

import psutil

_GLANCE = 0.002  # seconds


class Peak:
    """Looks at the process's resident memory again and again while a block runs.

    Attributes:
        mebibytes: The peak above what was taken up when the block began.
    """

    def __init__(self) -> None:
        self._process, self._done = psutil.Process(), threading.Event()
        self._start = self._most = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def mebibytes(self) -> float:
        """The peak above what was taken up when the block began."""
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
