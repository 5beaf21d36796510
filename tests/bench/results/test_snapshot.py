"""A snapshot of a results folder: each part is checked once, and what came later waits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from memgen_bench.errors import DamagedPartError, StoreError, VanishedPartError
from memgen_bench.files import regular
from memgen_bench.results import parts, snapshot, store
from memgen_bench.results.compaction import compact
from memgen_bench.results.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadingMaker = Callable[..., dict[str, Any]]


def add(folder: Path, network: str, *rows: dict[str, Any]) -> Path:
    return store.write_part(folder, "readings", network, store.table("readings", rows))


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Counter[Path]:
    """Count how often the bytes of each file are read."""
    counts, read = Counter[Path](), regular.read_regular

    def count(path: Path) -> bytes:
        counts[path] += 1
        return read(path)

    monkeypatch.setattr(parts, "read_regular", count)
    return counts


def keys(results: Snapshot) -> list[str]:
    return store.read_frame(results, "readings", ["key"])["key"].to_list()


def test_a_part_is_checked_once_however_often_it_is_asked_for(
    tmp_path: Path, make_reading: ReadingMaker, checked: Counter[Path]
) -> None:
    added = [add(tmp_path, "net", make_reading(key=key)) for key in ("a", "b")]
    seen = Snapshot(tmp_path)
    assert sorted(keys(seen)) == sorted(keys(seen)) == ["a", "b"]
    accuracies = store.read_frame(seen, "readings", ["test_accuracy"])
    assert accuracies["test_accuracy"].to_list() == [0.5, 0.5]
    assert checked == dict.fromkeys(added, 1)


def test_what_came_later_counts_after_a_refresh_and_is_all_that_is_checked(
    tmp_path: Path, make_reading: ReadingMaker, checked: Counter[Path]
) -> None:
    first = add(tmp_path, "net1", make_reading(key="a", status="failed"))
    seen = Snapshot(tmp_path)
    assert keys(seen) == ["a"]
    later = [
        add(tmp_path, name, make_reading(key=key)) for name, key in (("net0", "a"), ("n", "b"))
    ]
    assert keys(seen) == ["a"]
    seen.refresh()
    assert checked == {first: 1}
    every = store.read_frame(seen, "readings")
    assert checked == dict.fromkeys([first, *later], 1)
    assert set(every["status"]) == {"ok"}
    assert every.equals(store.read_frame(tmp_path, "readings"))  # the same rows in the same order


def test_only_the_parts_of_one_network_that_came_since_are_later(
    tmp_path: Path, make_reading: ReadingMaker, checked: Counter[Path]
) -> None:
    known = add(tmp_path, "net", make_reading(key="a"))
    seen = Snapshot(tmp_path)
    assert keys(seen) == ["a"]
    assert seen.later_rows("readings", "net", ["key"]).is_empty()
    later = add(tmp_path, "net", make_reading(key="b"))
    add(tmp_path, "other", make_reading(key="c"))
    for _ in range(2):
        assert seen.later_rows("readings", "net", ["key"])["key"].to_list() == ["b"]
    assert checked == {known: 1, later: 1}
    assert keys(seen) == ["a"]


def test_all_is_later_where_there_was_no_folder(tmp_path: Path, make_reading: ReadingMaker) -> None:
    seen = Snapshot(tmp_path / "results")
    with pytest.raises(StoreError, match="no such results folder"):
        seen.parts("readings")
    assert seen.later_rows("readings", "net", ["key"]).is_empty()
    add(tmp_path / "results", "net", make_reading(key="a"))
    assert seen.later_rows("readings", "net", ["key"])["key"].to_list() == ["a"]


def test_a_folder_that_is_compacted_loses_no_row(
    tmp_path: Path, make_reading: ReadingMaker, checked: Counter[Path]
) -> None:
    for key in ("a", "b", "c"):
        add(tmp_path, "net", make_reading(key=key))
    seen = Snapshot(tmp_path)
    assert sorted(keys(seen)) == ["a", "b", "c"]
    compact(tmp_path)
    checked.clear()
    assert sorted(keys(seen)) == ["a", "b", "c"]
    assert list(checked.values()) == [1]
    assert [path.name.split("-")[0] for path in seen.parts("readings")] == ["compact"]


def test_a_later_part_may_be_compacted_away_while_it_is_read(
    tmp_path: Path, make_reading: ReadingMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Snapshot(tmp_path)
    later = add(tmp_path, "net", make_reading(key="a"))

    def vanish(path: Path) -> int:
        later.unlink()
        raise VanishedPartError(path)

    monkeypatch.setattr(snapshot, "version_of", vanish)
    assert seen.later_rows("readings", "net", ["key"]).is_empty()


def test_links_to_nowhere_are_named(tmp_path: Path, make_reading: ReadingMaker) -> None:
    path = add(tmp_path, "net", make_reading())
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="vanished"):
        keys(Snapshot(tmp_path))
    with pytest.raises(StoreError, match="vanished"):
        Snapshot(tmp_path).later_rows("readings", "net", ["key"])


def test_damage_that_comes_later_is_found(tmp_path: Path, make_reading: ReadingMaker) -> None:
    add(tmp_path, "net", make_reading(key="a"))
    seen = Snapshot(tmp_path)
    assert keys(seen) == ["a"]
    later = add(tmp_path, "net", make_reading(key="b"))
    later.write_bytes(later.read_bytes()[:-1])
    seen.refresh()
    with pytest.raises(DamagedPartError):
        keys(seen)
