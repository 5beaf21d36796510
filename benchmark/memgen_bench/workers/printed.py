"""The output of a child: passed on to this process's standard error, and quoted at its death."""

from __future__ import annotations

import os
import sys
import threading
from typing import IO

from memgen_bench.errors import printable

_LINES = 100  # of one child that are passed on
_KEPT = 10_000  # bytes that are kept of a line


class Printed(threading.Thread):
    """Reads the output of a child until all its ends are closed.

    Args:
        pipe: The end to read from.

    Attributes:
        last: The last line that was not empty.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe, self._lines, self.last = pipe, 0, ""
        self.start()

    def run(self) -> None:
        """Read, keep the last line, and pass lines on."""
        rest = b""
        with self._pipe:
            while block := os.read(self._pipe.fileno(), 1 << 16):
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    self._take(line)
                rest = rest[-_KEPT:]
        self._take(rest)

    def _take(self, line: bytes) -> None:
        text = printable(line[:_KEPT].decode(errors="backslashreplace").rstrip().expandtabs())
        if not text:
            return
        self.last, self._lines = text, self._lines + 1
        if self._lines <= _LINES:
            _say(text)
        elif self._lines == _LINES + 1:
            _say("(what else it prints is left out)")


def _say(text: str) -> None:
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)
