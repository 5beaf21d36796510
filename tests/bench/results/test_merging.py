"""Merging: whatever the order, the same rows come out, and conflicts are named."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memgen_bench import read_results
from memgen_bench.errors import DamagedPartError, StoreError
from memgen_bench.results import schemas, store
from memgen_bench.results.merging import ConflictError, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    ReadingMaker = Callable[..., dict[str, Any]]
    Row = dict[str, Any]
    Folder = list[list[Row]]  # parts, each a list of rows

START = datetime(2026, 5, 1, tzinfo=UTC)
ROWS = st.builds(
    lambda key, status, age, accuracy: {
        "key": key,
        "network_id": "net",
        "status": status,
        "created": START + timedelta(hours=age),
        "test_accuracy": accuracy if status == "ok" else None,
        "message": None if status == "ok" else f"after {accuracy}",
    },
    st.sampled_from("abcd"),
    st.sampled_from(["ok", "ok", "skipped", "failed"]),
    st.integers(0, 2),
    st.sampled_from([0.25, 0.25, 0.25, 0.5]),
)
FOLDERS = st.lists(
    st.lists(st.lists(ROWS, min_size=1, max_size=3), max_size=3), min_size=1, max_size=3
)


@pytest.fixture(autouse=True)
def _no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)


def fill(folder: Path, parts: Folder, name: str = "readings") -> Path:
    """Write rows below a folder."""
    folder.mkdir(exist_ok=True)
    for rows in parts:
        store.write_part(folder, name, "net", store.table(name, rows))
    return folder


def merged(into: Path, *sources: Path) -> list[Row] | frozenset[str]:
    """Merge folders; return the rows of the result, or the identities in conflict."""
    into.mkdir(exist_ok=True)
    before = files_below(into)
    try:
        merge(into, sources)
    except ConflictError as error:
        assert files_below(into) == before
        return frozenset(conflict.identity for conflict in error.conflicts)
    return rows_of(into)


def rows_of(folder: Path) -> list[Row]:
    rows: list[Row] = read_results(folder).to_pylist()
    return sorted(rows, key=lambda row: str(row["key"]))


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def contradictions(folders: Sequence[Folder]) -> frozenset[str]:
    """Return the keys of fine readings with several accuracies."""
    accuracies = defaultdict(set)
    for row in (row for folder in folders for part in folder for row in part):
        if row["status"] == "ok":
            accuracies[row["key"]].add(row["test_accuracy"])
    return frozenset(key for key, found in accuracies.items() if len(found) > 1)


@settings(max_examples=25)
@given(FOLDERS, st.randoms(use_true_random=False))
def test_the_order_of_merges_changes_nothing(folders: list[Folder], random: Random) -> None:
    with TemporaryDirectory() as work:
        names = [fill(Path(work, f"from-{at}"), parts) for at, parts in enumerate(folders)]
        expected = merged(Path(work, "at-once"), *names)
        if wrong := contradictions(folders):
            assert expected == wrong
            return
        assert merged(Path(work, "at-once"), *names) == expected  # again
        random.shuffle(names)
        stepwise = [merged(Path(work, "stepwise"), source) for source in names]  # ((a + b) + c)
        merged(Path(work, "late"), *names[1:])
        late = merged(Path(work, "late"), names[0])  # (a + (b + c))
        assert late == stepwise[-1] == expected


@settings(max_examples=25)
@given(FOLDERS)
def test_conflicts_are_found_however_many_steps_a_merge_takes(folders: list[Folder]) -> None:
    wrong, reported = contradictions(folders), frozenset[str]()
    with TemporaryDirectory() as work:
        for at, parts in enumerate(folders):
            found = merged(Path(work, "into"), fill(Path(work, f"from-{at}"), parts))
            reported |= found if isinstance(found, frozenset) else frozenset()
    assert reported <= wrong
    assert bool(reported) == bool(wrong)


def test_a_conflict_says_key_decoder_layer_network_and_files(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    rows = [
        make_reading(key="k", network_id="net", test_accuracy=accuracy) for accuracy in (0.25, 0.5)
    ]
    one, two = (
        fill(tmp_path / name, [[row]]) for name, row in zip(("one", "two"), rows, strict=True)
    )
    with pytest.raises(ConflictError, match=r"nothing was merged \(conflicts: 1\)") as caught:
        merge(tmp_path / "new", [one, two])
    (conflict,) = caught.value.conflicts
    files = [str(next((folder / "readings").iterdir())) for folder in (one, two)]
    assert str(conflict) == (
        "conflict: k (network_id net, decoder masc, labels corrupted, layer fc1) differs in "
        f"test_accuracy, test_correct: {', '.join(files)}"
    )
    assert not (tmp_path / "new").exists()


VALUES = {
    "string": ("a", "b"),
    "bool": (True, False),
    "int64": (1, 2),
    "double": (0.5, 0.25),
    "binary": (b"\x01", b"\x02"),
    "list<element: double>": ([0.5], [0.25]),
    "list<element: int32>": ([1], [2]),
}


def fine_row(name: str, **columns: Any) -> Row:
    row = {"network_id": "net", "status": "ok", "created": START}
    return row | columns | ({"key": "k"} if name == "readings" else {})


def values_of(name: str, column: str) -> tuple[Any, Any]:
    """Return two values of a column."""
    return VALUES[str(schemas.TABLES[name].field(column).type).replace("item", "element")]


@pytest.mark.parametrize(
    ("name", "column"),
    [(name, column) for name, columns in schemas.MEASURED.items() for column in columns],
)
def test_whatever_was_computed_can_conflict(name: str, column: str, tmp_path: Path) -> None:
    folders = [
        fill(tmp_path / str(at), [[fine_row(name, **{column: value})]], name)
        for at, value in enumerate((*values_of(name, column), None))
    ]
    for pair in itertools.combinations(folders, 2):
        with pytest.raises(ConflictError) as caught:
            merge(tmp_path / "new", pair)
        assert [conflict.differing for conflict in caught.value.conflicts] == [(column,)]


def test_a_network_loaded_again_by_a_later_version_is_no_conflict(tmp_path: Path) -> None:
    for at, held_out in enumerate((None, 0)):  # version 4 had no such column, and held nothing out
        fill(tmp_path / f"{at}", [[fine_row("networks", held_out_count=held_out)]], "networks")
    assert merge(tmp_path / "new", [tmp_path / "0", tmp_path / "1"]) == 2


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("readings", ["fit_seconds", "predict_seconds", "decoder_plugin", "message"]),
        ("networks", ["train_seconds", "from_cache", "device", "environment", "code_commit"]),
    ],
)
def test_times_and_versions_do_not_conflict(name: str, columns: list[str], tmp_path: Path) -> None:
    for at in (0, 1):
        columns_then = {column: values_of(name, column)[at] for column in columns}
        row = fine_row(name, **columns_then, created=START + timedelta(days=at))
        fill(tmp_path / str(at), [[row]], name)
    merge(tmp_path / "new", [tmp_path / "1", tmp_path / "0"])
    newest = store.read_frame(tmp_path / "new", name, columns).row(0)
    assert newest == tuple(values_of(name, column)[1] for column in columns)


def test_plans_come_along(tmp_path: Path) -> None:
    for name, keys in {"one": "ab", "two": "bc"}.items():
        rows = [{"suite": "toy", "suite_version": 1, "key": key} for key in keys]
        fill(tmp_path / name, [rows], "plans")
    assert merge(tmp_path / "new", [tmp_path / "one", tmp_path / "two"]) == 2
    assert sorted(store.read_plans(tmp_path / "new")["key"].to_pylist()) == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["networks", "readings", "plans"])
def test_nothing_is_written_where_a_part_is_damaged(
    name: str, tmp_path: Path, make_reading: ReadingMaker
) -> None:
    one = fill(tmp_path / "one", [[make_reading()]])
    two = fill(tmp_path / "two", [[{}]], name)
    (part,) = (two / name).iterdir()
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(DamagedPartError):
        merge(tmp_path / "new", [one, two])
    assert not (tmp_path / "new").exists()


def test_a_source_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such results folder"):
        merge(tmp_path / "new", [tmp_path / "nowhere"])
