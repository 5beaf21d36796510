"""Deeds that change the global state, done while it is preserved."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench.global_state import Changes, preserved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What is done, and what tells that it was.
Deed = tuple["Callable[[], Any]", "Callable[[], Any]"]
ENDINGS = ("fine", "with an error")


def changes_of(deed: Deed, ending: str, *, shows: bool = True) -> Changes:
    """Return the changes that a deed made, after which all is as before.

    Args:
        deed: The deed, and what tells that it was done.
        ending: One of `ENDINGS`.
        shows: Whether it changes something on any machine.
    """
    do, tell = deed
    with preserved():  # what is imported for the first time is no change
        tell()
    before = tell()
    with contextlib.suppress(ZeroDivisionError), preserved() as changes:
        do()
        done = tell()
        if ending != "fine":
            raise ZeroDivisionError
    after = tell()
    assert changes.lasting == []
    assert np.array_equal(after, before) if isinstance(before, np.ndarray) else after == before
    if shows:
        assert done != before
    return changes


def lasting_after(line: str, tmp_path: Path) -> str:
    """Return the names of lasting changes after a line of Python, run in a process of its own."""
    code = "import os, subprocess, sys, threading, time\nfrom memgen_bench import global_state\n"
    code += f"with global_state.preserved() as changes:\n    {line}\n"
    out = tmp_path / "out"
    code += f"open({str(out)!r}, 'w').write(','.join(changes.lasting))\n"
    code += "assert global_state.lasting_changes == set(changes.lasting)\nos._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    return out.read_text()
