"""Compaction: fewer parts, the same rows, whenever it is cut short."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.readings import older_part
from memgen_bench import read_networks, read_results
from memgen_bench.results import compaction, store
from memgen_bench.results.compaction import compact
from memgen_bench.results.merging import merge
from memgen_bench.results.parts import version_of
from memgen_bench.results.schemas import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadingMaker = Callable[..., dict[str, Any]]
    Rows = dict[str, list[dict[str, Any]]]

START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)


def rows_of(folder: Path) -> Rows:
    """Return all that a results folder says."""
    tables = {
        "readings": read_results(folder),
        "networks": read_networks(folder),
        "plans": store.read_plans(folder),
        "successors": store.to_arrow(store.read_frame(folder, "successors"), "successors"),
    }
    return {name: sorted(rows.to_pylist(), key=str) for name, rows in tables.items()}


def parts_of(folder: Path) -> dict[str, int]:
    return {path.name: len(list(path.glob("*.parquet"))) for path in folder.iterdir()}


def fill(folder: Path, make_reading: ReadingMaker) -> Path:
    """Write networks whose readings failed at first, and the plan."""
    for at in range(3):
        names = {"network_id": f"net{at}", "created": START}
        row = names | {"status": "ok", "curve_loss": [1.0, 0.5]}
        store.write_part(folder, "networks", f"net{at}", store.table("networks", [row]))
        for status in ("failed", "ok"):
            age = timedelta(hours=status == "ok")
            rows = [
                make_reading(key=f"{at}{layer}", layer=layer, status=status)
                | names
                | {"created": START + age}
                for layer in "ab"
            ]
            store.write_part(folder, "readings", f"net{at}", store.table("readings", rows))
        successor = names | {"key": f"{at}", "status": "ok", "readout_after": 0.5}
        store.write_part(folder, "successors", f"net{at}", store.table("successors", [successor]))
        plan = [{"suite": "toy", "suite_version": 1, "key": f"{key}a"} for key in range(at + 1)]
        store.write_part(folder, "plans", "toy", store.table("plans", plan))
    return folder


def test_many_parts_become_few_and_rows_that_do_not_count_go(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    before = rows_of(fill(tmp_path, make_reading))
    assert parts_of(tmp_path) == {"networks": 3, "readings": 6, "plans": 3, "successors": 3}
    done = {table.name: (table.before, table.after, table.dropped) for table in compact(tmp_path)}
    one_part = (3, 1, 0)
    assert done == {
        "networks": one_part,
        "readings": (6, 1, 6),
        "plans": (3, 1, 3),
        "successors": one_part,
    }
    assert set(parts_of(tmp_path).values()) == {1}
    assert rows_of(tmp_path) == before


def test_compacting_again_changes_nothing(tmp_path: Path, make_reading: ReadingMaker) -> None:
    compact(fill(tmp_path, make_reading))
    before = _files(tmp_path)
    assert [(table.before, table.dropped) for table in compact(tmp_path)] == [(1, 0)] * 4
    assert _files(tmp_path) == before


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return what writing a file changes; reading one may change when it was last read."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_older_parts_get_the_columns_of_today(tmp_path: Path, make_reading: ReadingMaker) -> None:
    older_part([make_reading(key="old")], tmp_path)
    store.write_part(tmp_path, "readings", "net", store.table("readings", [make_reading(key="a")]))
    compact(tmp_path)
    older_part([make_reading(key="older")], tmp_path)  # one part, and one row
    compact(tmp_path)
    rows = polars.read_parquet(tmp_path / "readings" / "*.parquet")  # needs equal columns
    assert sorted(rows["key"]) == ["a", "old", "older"]
    assert {version_of(part) for part in (tmp_path / "readings").iterdir()} == {SCHEMA_VERSION}


def test_an_empty_folder_stays_empty(tmp_path: Path) -> None:
    assert [table.before for table in compact(tmp_path)] == [0, 0, 0, 0]
    assert list(tmp_path.iterdir()) == []


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process end before the given one of the operations that change files."""
    left = iter(range(step, -1, -1))

    def counted(operation: Any) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            if next(left, 0) == 0:
                raise Killed
            return operation(*arguments, **options)

        return run

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    monkeypatch.setattr(os, "fsync", counted(os.fsync))


def test_cut_short_at_any_step_the_folder_reads_the_same(
    tmp_path: Path, make_reading: ReadingMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_ROWS", 2)  # several parts come out
    expected = rows_of(fill(tmp_path / "whole", make_reading))
    step = 0
    while True:
        folder = fill(tmp_path / str(step), make_reading)
        with monkeypatch.context() as patch:
            kill_at(step, patch)
            try:
                compact(folder)
            except Killed:
                pass
            else:
                break
        assert rows_of(folder) == expected
        compact(folder)
        assert rows_of(folder) == expected
        counts = {"networks": 2, "readings": 3, "plans": 2, "successors": 2}
        assert parts_of(folder) == counts
        step += 1
    assert step > 20


AGES = st.lists(st.integers(0, 10**6), min_size=1, max_size=8, unique=True)
STATUSES = ("failed", "skipped", "ok")


@settings(max_examples=25)
@given(AGES, st.data())
def test_compaction_and_merging_may_come_in_any_order(ages: list[int], data: st.DataObject) -> None:
    with TemporaryDirectory() as work:
        folders = [Path(work, name) for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        for age in ages:
            row = {
                "key": data.draw(st.sampled_from("abc")),
                "network_id": "net",
                "status": data.draw(st.sampled_from(STATUSES)),
                "created": START + timedelta(seconds=age),
                "fit_seconds": float(age),
            }
            folder = data.draw(st.sampled_from(folders))
            store.write_part(folder, "readings", "net", store.table("readings", [row]))
        merge(Path(work, "plain"), folders)
        expected = rows_of(Path(work, "plain"))
        compact(folders[0])
        merge(Path(work, "compacted"), folders)
        assert rows_of(Path(work, "compacted")) == expected
        compact(Path(work, "compacted"))
        assert rows_of(Path(work, "compacted")) == expected
        merge(Path(work, "compacted"), [folders[1]])  # again, what was dropped included
        assert rows_of(Path(work, "compacted")) == expected
