"""Locks on a results folder: between processes, gone with them, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from memgen_bench.errors import MemgenError
from memgen_bench.running.locks import Locks

if TYPE_CHECKING:
    from pathlib import Path

OTHER = """
import sys
from pathlib import Path
from memgen_bench.running.locks import Locks
locks = Locks(Path(sys.argv[1]))
print(*(locks.take(name) for name in sys.argv[2:]), flush=True)
sys.stdin.read()
"""


def other(folder: Path, *names: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER, str(folder), *names]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_a_network_is_one_runs_until_it_gives_it_back_or_dies(tmp_path: Path) -> None:
    first, second = "0fe4dcd663569082d7f3", "a3631e04edb90da22ed5"
    with Locks(tmp_path) as locks:
        assert locks.take(first)
        with other(tmp_path, first, second) as process:
            assert said(process) == ["False", "True"]
            assert not locks.take(second)
            process.kill()
        assert locks.take(second)
        locks.give_back(first)
        with other(tmp_path, first, second) as process:
            assert said(process) == ["True", "False"]
            process.kill()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_locked_gets_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MemgenError, match=r"cannot write .*\.lock: .*; choose another folder"):
        Locks(tmp_path / "file")
