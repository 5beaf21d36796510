"""Full disks and flipped bytes: one clear line, nothing corrupt, and the next run goes on."""

from __future__ import annotations

import re
import resource
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import memgen_bench
from memgen_bench import read_networks, read_results
from memgen_bench.errors import DamagedPartError, WriteError
from memgen_bench.files.atomic import write_atomically
from memgen_bench.plan.suite import Suite
from memgen_bench.results import store
from memgen_bench.results.verification import set_aside, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    ReadingMaker = Callable[..., dict[str, Any]]

TIMES = ["fit_seconds", "predict_seconds", "created"]
TINY = Suite.model_validate(
    {
        "name": "tiny",
        "version": 1,
        "models": ["mlp"],
        "datasets": ["digits"],
        "rates": [0.4],
        "kinds": ["memorized", "clean", "untrained"],
        "decoders": ["ncm"],
        "train_size": 120,
        "test_size": 60,
        "validation_fraction": 0.25,
        "max_layer_dim": 32,
    }
)


def run(results: Path, cache: Path) -> memgen_bench.Summary:
    return memgen_bench.run(TINY, results=results, cache_dir=cache, engine="serial")


def rows_of(results: Path) -> tuple[pl.DataFrame, list[str], int]:
    """Return what a finished run leaves, times left out."""
    readings = pl.from_arrow(read_results(results))
    assert isinstance(readings, pl.DataFrame)
    networks = read_networks(results)["network_id"].to_pylist()
    return readings.drop(TIMES).sort("key"), sorted(networks), store.read_plans(results).num_rows


def parts_below(results: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for table in ("networks", "readings", "plans")
        for path in sorted((results / table).iterdir())
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results and the cache of a whole run."""
    folder = tmp_path_factory.mktemp("finished")
    summary = run(folder / "results", folder / "cache")
    assert summary.ok == summary.planned
    return folder


# flipped bytes


@pytest.mark.slow
def test_a_flipped_byte_in_any_file_of_the_results_is_noticed_and_mended_by_the_next_run(
    finished: Path,
) -> None:
    results = finished / "results"
    expected = rows_of(results)
    assert verify(results) == []
    for part, content in parts_below(results).items():
        at = len(content) // 3
        part.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        others = {path: kept for path, kept in parts_below(results).items() if path != part}
        with pytest.raises(DamagedPartError, match=part.name):
            run(results, finished / "cache")
        faults = verify(results)
        assert [fault.damaged for fault in faults if fault.damaged] == [part]
        set_aside(part)
        summary = run(results, finished / "cache")
        assert summary.ok == summary.planned
        after = parts_below(results)
        new = set(after) - set(others)
        assert {path: after[path] for path in others} == others
        assert {path.parent for path in new} <= {
            part.parent,
            results / "networks",
            results / "readings",
        }
        assert verify(results) == []
        assert rows_of(results)[0].equals(expected[0])
        assert rows_of(results)[1:] == expected[1:]


# full disks


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let this process write no file beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_may_not_grow_gives_one_line_and_leaves_nothing(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    part = store.table("readings", [make_reading()])
    with files_up_to(1000):
        with pytest.raises(WriteError, match=r"cannot write .*File too large; make room, or"):
            store.write_part(tmp_path, "readings", "net", part)
        with pytest.raises(WriteError, match=r"cannot write .*File too large; make room, or"):
            write_atomically(tmp_path / "weights", b"x" * 10_000)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    store.write_part(tmp_path, "readings", "net", part)
    assert read_results(tmp_path).num_rows == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with 32 KiB of room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "memgen-test", str(disk)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def give_room(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def complaint(results: Path, cache: Path) -> str:
    """Run, and return the line with which the run stops, if it does."""
    try:
        run(results, cache)
    except WriteError as error:
        return str(error)
    return ""


@pytest.mark.slow
def test_a_run_on_a_full_disk_stops_with_one_line_and_goes_on_once_there_is_room(
    finished: Path, small_disk: Path, tmp_path: Path
) -> None:
    places = {"results": small_disk, "cache": tmp_path / "cache"}
    stops = 0
    for size in ("32k", "64k", "128k", "192k"):
        give_room(small_disk, size)
        message = complaint(**places)
        stops += bool(message)
        assert re.fullmatch(rf"(cannot write {small_disk}\S+: No space left on .*)?", message)
        assert list(small_disk.rglob("*.tmp")) == []
        if places["results"].is_dir():
            assert [fault for fault in verify(places["results"]) if fault.damaged] == []
            assert set(read_results(places["results"])["status"].to_pylist()) <= {"ok"}
    assert stops > 1
    give_room(small_disk, "50m")
    summary = run(**places)
    assert summary.ok == summary.planned
    assert rows_of(places["results"])[0].equals(rows_of(finished / "results")[0])
    assert verify(places["results"]) == []


@pytest.mark.slow
def test_a_full_cache_costs_no_reading_and_is_filled_once_there_is_room(
    finished: Path, small_disk: Path, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match=rf"is not cached: cannot write {small_disk}\S+: No space"):
        summary = run(tmp_path / "results", small_disk)
    assert summary.ok == summary.planned
    assert rows_of(tmp_path / "results")[0].equals(rows_of(finished / "results")[0])
    assert list(small_disk.rglob("*.tmp")) == []
    give_room(small_disk, "50m")
    assert run(tmp_path / "other", small_disk).ok == summary.ok
    assert len(list(small_disk.rglob("*.safetensors"))) == 2
