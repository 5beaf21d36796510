"""Only regular files of a plausible size are read."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from memgen_bench.files.regular import read_regular

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_regular(tmp_path / "link") == b"content"
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "nowhere")


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "zeros").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    for name in ("pipe", "folder", "zeros", "socket"):
        with pytest.raises(OSError, match=r"regular file|directory|No such device"):
            read_regular(tmp_path / name)


def test_what_is_larger_than_memory_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(200 << 30)
    with pytest.raises(OSError, match="200 GiB, more than") as raised:
        read_regular(tmp_path / "sparse")
    assert raised.value.strerror
