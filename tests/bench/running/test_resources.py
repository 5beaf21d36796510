"""What this process may use: fewer processors and less memory than the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from memgen_bench.running import resources
from memgen_bench.running.resources import available_memory, usable_cpus

if TYPE_CHECKING:
    from pathlib import Path


def test_processors_follow_the_affinity() -> None:
    assert 1 <= usable_cpus() <= len(os.sched_getaffinity(0))
    one = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, {{{one}}}); "
        "from memgen_bench.running.resources import usable_cpus; print(usable_cpus())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert int(found) == 1


@pytest.mark.parametrize(
    ("line", "folder", "files", "left"),
    [
        ("0::/job", "job", {"memory.max": 900, "memory.current": 500, "memory.stat": 0}, 400),
        ("0::/job/step", "job", {"memory.max": 900, "memory.current": 500, "memory.stat": 50}, 450),
        (
            "9:memory:/docker/7",
            "memory/docker/7",
            {"memory.limit_in_bytes": 300, "memory.usage_in_bytes": 400, "memory.stat": 0},
            0,
        ),
        ("0::/", "", {"memory.max": 70, "memory.current": 20, "memory.stat": 0}, 50),
    ],
)
def test_memory_follows_the_control_group(
    line: str,
    folder: str,
    files: dict[str, int],
    left: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = tmp_path / "cgroup" / folder
    group.mkdir(parents=True)
    for name, value in files.items():
        cache = f"total_inactive_file {value}\ninactive_file {value}\n"
        (group / name).write_text(cache if name == "memory.stat" else f"{value}\n")
    (tmp_path / "own").write_text(f"12:cpu:/elsewhere\n{line}\n")
    monkeypatch.setattr(resources, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(resources, "_OWN", tmp_path / "own")
    assert available_memory() == left


def test_without_a_limit_memory_is_that_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "own").write_text("0::/\n")
    monkeypatch.setattr(resources, "_CGROUPS", tmp_path)
    for own in ("own", "nowhere"):
        monkeypatch.setattr(resources, "_OWN", tmp_path / own)
        assert available_memory() > psutil.virtual_memory().available // 2
