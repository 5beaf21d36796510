"""Threads, processes and files that a plugin leaves are named, unless they end in a moment."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from helpers.rude_deeds import lasting_after
from memgen_bench.global_state import left_running

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "lasting"),
    [
        ("threading.Thread(target=time.sleep, args=(9,)).start()", "threads"),
        ("subprocess.Popen(['sleep', '3'])", "processes"),
        ("os.fork() or time.sleep(3) or os._exit(0)", "processes"),
        ("files = [open(os.devnull) for _ in range(100)]", "open files"),
        ("threading.Thread(target=time.sleep, args=(0.05,)).start()", ""),
        ("subprocess.run(['true'])", ""),
    ],
)
def test_those_that_still_run_are_named(line: str, lasting: str, tmp_path: Path) -> None:
    assert lasting_after(line, tmp_path) == lasting


@pytest.mark.parametrize("lists", sorted({False, left_running._LISTS_CHILDREN}))
def test_children_that_run_are_counted_whether_the_system_lists_them_or_not(
    lists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_running, "_LISTS_CHILDREN", lists)
    before = left_running._children()
    with subprocess.Popen(["sleep", "60"]) as child:
        assert left_running._children() == before + 1
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is a zombie
        assert left_running._children() == before
