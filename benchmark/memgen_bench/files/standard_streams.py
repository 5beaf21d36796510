"""The standard streams, which may be closed, or may lack characters that are printed."""

from __future__ import annotations

import codecs
import os
import sys
from typing import Any

# What takes the place of characters that an encoding lacks, so that tables stay readable.
_PLAIN = {
    "ρ": "rho",
    "Σ": "Sum",
    "σ": "sigma",
    "κ": "kappa",
    "±": "+-",
    "–": "-",
    "—": "-",
    "…": "...",
    "×": "x",
    "÷": "/",
    "·": ".",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "−": "-",
    "•": "*",
}


def open_standard_streams() -> None:
    """Open the null device in place of standard streams that are closed.

    Else the next files that are opened get their numbers, and what is printed goes there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def print_anything() -> None:
    """Let standard output and error show other characters for those that they cannot."""
    codecs.register_error("memgen-plain", _replaced)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="memgen-plain")


def _replaced(error: Any) -> tuple[str, int]:
    found = error.object[error.start : error.end]
    escaped = (_PLAIN.get(c) or c.encode("unicode_escape").decode() for c in found)
    return "".join(escaped), error.end
