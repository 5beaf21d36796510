"""Files: all of one or nothing, on full disks and after kills too."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from memgen_bench import MemgenError
from memgen_bench.files.atomic import remove_leftovers, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

DAY = 24 * 60 * 60
# A writer that is killed just before its file gets its name.
KILLED = """
import os, signal, sys
from pathlib import Path
from memgen_bench.files.atomic import write_atomically
os.fsync = lambda handle: os.kill(os.getpid(), signal.{signal})
write_atomically(Path(sys.argv[1]), b"half")
"""


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_file_is_written_with_its_folder_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for content in (b"first", b"second"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert files_below(tmp_path) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_place_that_cannot_be_written_gives_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    says = r"cannot write .*; make room, or name another folder \(as with --results or .*\)$"
    with pytest.raises(MemgenError, match=says) as caught:
        write_atomically(blocked / "file", b"content")
    assert "\n" not in str(caught.value)
    assert files_below(tmp_path) == [blocked]


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    write_atomically(path, b"before")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MemgenError, match="No space left on device; make room"):
        write_atomically(path, b"after")
    assert files_below(tmp_path) == [path]
    assert path.read_bytes() == b"before"


def leave_half(path: Path) -> Path:
    """Kill a writer, and return what it leaves behind."""
    command = [sys.executable, "-c", KILLED.format(signal="SIGKILL"), str(path)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (left,) = path.parent.glob(".memgen-*")
    return left


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "file"
    left = leave_half(path)
    assert not path.exists()
    remove_leftovers(tmp_path)
    assert files_below(tmp_path) == []
    assert not left.exists()


def test_what_a_writer_at_work_has_written_so_far_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    command = [sys.executable, "-c", KILLED.format(signal="SIGSTOP"), str(path)]
    with subprocess.Popen(command) as writer:
        try:
            os.waitpid(writer.pid, os.WUNTRACED)
            remove_leftovers(tmp_path)
            assert len(files_below(tmp_path)) == 1
        finally:
            writer.send_signal(signal.SIGCONT)
    assert path.read_bytes() == b"half"


def test_a_writer_that_nobody_waited_for_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED.format(signal="SIGKILL"), str(tmp_path / "file")]
    with subprocess.Popen(command) as writer:
        os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        assert len(files_below(tmp_path)) == 1
        remove_leftovers(tmp_path)
        assert files_below(tmp_path) == []


def test_what_another_machine_writes_stays_for_a_day(tmp_path: Path) -> None:
    here = leave_half(tmp_path / "file")
    there = here.rename(tmp_path / here.name.replace(platform.node(), "elsewhere"))
    remove_leftovers(tmp_path)
    assert files_below(tmp_path) == [there]
    long_ago = time.time() - DAY - 1
    os.utime(there, (long_ago, long_ago))
    remove_leftovers(tmp_path)
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("name", ["notes.tmp", ".notes.tmp", ".memgen-notes", "a.parquet"])
def test_other_files_stay(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("precious")
    os.utime(tmp_path / name, (0, 0))
    remove_leftovers(tmp_path)
    assert files_below(tmp_path) == [tmp_path / name]


def test_a_folder_that_is_not_there_has_no_leftovers(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "nowhere")


def test_what_others_left_in_the_folder_stays(tmp_path: Path) -> None:
    names = (".memgen-x.tmp", ".memgen-.tmp", ".memgen-a-b-c.tmp", f".memgen-m-{10**30}-x.tmp")
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    os.mkfifo(tmp_path / ".memgen-host-1-pipe.tmp")
    os.utime(tmp_path / ".memgen-host-1-pipe.tmp", (0, 0))
    (tmp_path / ".memgen-host-1-folder.tmp").mkdir()
    before = sorted(tmp_path.iterdir())
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
