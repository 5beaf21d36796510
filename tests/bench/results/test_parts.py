"""Parts: immutable Parquet files of which every byte is accounted for."""

from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memgen_bench import read_networks, read_results
from memgen_bench.errors import DamagedPartError, StoreError
from memgen_bench.results import parts, schemas, snapshot, store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    ReadingMaker = Callable[..., dict[str, Any]]


def add(folder: Path, *rows: dict[str, Any], name: str = "readings") -> Path:
    """Write rows as one part of the network `net`."""
    return parts.write_part(folder, name, "net", store.table(name, rows))


def put(folder: Path, part: pa.Table, name: str = "readings") -> Path:
    """Write a table of any schema as a part with the right name."""
    buffer = io.BytesIO()
    pq.write_table(part, buffer)
    suffix = hashlib.sha256(buffer.getvalue()).hexdigest()[:12]
    path = folder / name / f"net-{suffix}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return path


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def refusal(folder: Path) -> str:
    """Return the one line with which reading a folder is refused."""
    with pytest.raises(StoreError) as caught:
        read_results(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


# what a part is


def test_a_part_carries_schema_and_version(tmp_path: Path, make_reading: ReadingMaker) -> None:
    part = pq.read_table(add(tmp_path, make_reading()), partitioning=None)
    assert part.schema.equals(schemas.READINGS)
    version = str(schemas.SCHEMA_VERSION).encode()
    assert part.schema.metadata[b"memgen_schema_version"] == version


def test_parts_are_compressed_with_zstd(tmp_path: Path, make_reading: ReadingMaker) -> None:
    metadata = pq.read_metadata(add(tmp_path, make_reading()))
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_part_is_named_after_its_network_and_contents(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    first = add(tmp_path, make_reading(test_accuracy=0.1))
    second = add(tmp_path, make_reading(test_accuracy=0.2))
    again = add(tmp_path / "elsewhere", make_reading(test_accuracy=0.1))
    assert first.parent == tmp_path / "readings"
    assert first.name.startswith("net-")
    assert first.name.endswith(".parquet")
    assert first.name == again.name != second.name


def test_nothing_is_rewritten(tmp_path: Path, make_reading: ReadingMaker) -> None:
    first = add(tmp_path, make_reading(key="a", status="failed"))
    before = first.stat()
    assert add(tmp_path, make_reading(key="a", status="failed")) == first
    second = add(tmp_path, make_reading(key="a"))
    assert files_below(tmp_path) == sorted([first, second])
    assert first.stat() == before


# damage


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path) -> None:
    path = parts.write_part(tmp_path, "plans", "toy", store.table("plans", [{"key": "a"}]))
    content = path.read_bytes()
    for place in range(0, len(content), 5):
        flipped = content[place] ^ 1 << place % 8
        path.write_bytes(content[:place] + bytes([flipped]) + content[place + 1 :])
        with pytest.raises(DamagedPartError):
            parts.version_of(path)
    path.write_bytes(content)
    assert parts.version_of(path) == schemas.SCHEMA_VERSION


@pytest.mark.parametrize("name", ["readings", "networks", "plans"])
@pytest.mark.parametrize("damage", ["truncated", "longer", "empty", "garbage"])
def test_a_damaged_part_is_named_in_one_line(
    damage: str, name: str, tmp_path: Path, make_reading: ReadingMaker
) -> None:
    row = make_reading() if name == "readings" else {}
    path = add(tmp_path, row, name=name)
    content = path.read_bytes()
    path.write_bytes(
        {
            "truncated": content[: len(content) // 2],
            "longer": content + b"\0",
            "empty": b"",
            "garbage": b"not parquet at all",
        }[damage]
    )
    with pytest.raises(DamagedPartError) as caught:
        store.read_frame(tmp_path, name, schemas.TABLES[name].names[:1])
    assert str(caught.value) == (
        f"{path}: damaged (its contents are not what was written); memgen-bench results verify "
        f"{tmp_path} --set-aside moves it away, and the next run makes its rows again"
    )


@pytest.mark.parametrize("name", ["notes.parquet", "net-0123456789ab.copy.parquet"])
def test_a_file_that_is_no_part_is_named(
    name: str, tmp_path: Path, make_reading: ReadingMaker
) -> None:
    add(tmp_path, make_reading()).rename(tmp_path / "readings" / name)
    path = tmp_path / "readings" / name
    assert refusal(tmp_path) == f"{path}: not a results file of memgen-bench; move it elsewhere"


def test_a_parquet_file_that_is_not_ours_is_named(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    part = store.table("readings", [make_reading()])
    path = put(tmp_path, part.replace_schema_metadata({}))
    assert refusal(tmp_path) == f"{path}: not a results file of memgen-bench; move it elsewhere"


def test_a_part_of_another_schema_is_named(tmp_path: Path, make_reading: ReadingMaker) -> None:
    add(tmp_path, make_reading())
    path = put(tmp_path, store.table("readings", [make_reading()]).drop_columns(["labels"]))
    assert refusal(tmp_path).startswith(f"{path}: not a results file")


def test_a_part_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    path = add(tmp_path, make_reading())
    path.unlink()
    path.mkdir()
    assert refusal(tmp_path) == f"{path}: cannot be read (Is a directory)"


# parts that come and go


def test_what_a_killed_writer_leaves_behind_is_not_read(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    path = add(tmp_path, make_reading())
    (path.parent / ".memgen-here-1-x.tmp").write_bytes(path.read_bytes()[:50])
    assert len(read_results(tmp_path)) == 1


@pytest.mark.parametrize("step", ["check", "read"])
def test_a_reader_sees_all_rows_though_parts_are_replaced_meanwhile(
    step: str, tmp_path: Path, make_reading: ReadingMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_reading(key="a"), make_reading(key="b")
    old = [add(tmp_path, row) for row in (first, second)]
    version_of, scan_parquet = parts.version_of, pl.scan_parquet

    def replace() -> None:
        if old:
            add(tmp_path, first, second)
        while old:
            old.pop().unlink()

    def check(path: Path) -> int:
        replace()
        return version_of(path)

    def read(*arguments: Any, **options: Any) -> pl.LazyFrame:
        replace()
        return scan_parquet(*arguments, **options)

    if step == "check":
        monkeypatch.setattr(snapshot, "version_of", check)
    else:
        monkeypatch.setattr(pl, "scan_parquet", read)
    assert sorted(read_results(tmp_path)["key"].to_pylist()) == ["a", "b"]
    assert old == []


def test_a_link_to_nowhere_is_named(tmp_path: Path, make_reading: ReadingMaker) -> None:
    path = add(tmp_path, make_reading())
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert refusal(tmp_path) == f"{path}: vanished while it was read; try again"


def test_a_copy_is_the_same_part(tmp_path: Path, make_reading: ReadingMaker) -> None:
    path = add(tmp_path / "from", make_reading())
    assert parts.copy_part(path, tmp_path / "to", "readings")
    assert not parts.copy_part(path, tmp_path / "to", "readings")
    copy = tmp_path / "to" / "readings" / path.name
    assert copy.read_bytes() == path.read_bytes()


def test_damage_is_not_copied(tmp_path: Path, make_reading: ReadingMaker) -> None:
    path = add(tmp_path / "from", make_reading())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedPartError):
        parts.copy_part(path, tmp_path / "to", "readings")
    assert not (tmp_path / "to").exists()


# versions


def test_a_newer_schema_is_refused_in_one_line(tmp_path: Path, make_reading: ReadingMaker) -> None:
    part = store.table("readings", [make_reading()])
    newer = str(schemas.SCHEMA_VERSION + 1)
    path = put(tmp_path, part.replace_schema_metadata({schemas.VERSION_KEY: newer}))
    assert refusal(tmp_path) == (
        f"{path}: schema version {newer} is newer than this memgen-bench reads "
        f"({schemas.SCHEMA_VERSION}); upgrade it"
    )


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a column to the readings, and one to the networks, as the next version would."""
    number = schemas.SCHEMA_VERSION + 1
    version = {schemas.VERSION_KEY: str(number)}
    field = pa.field("watts", pa.list_(pa.float64()))
    for name, schema in schemas.TABLES.items():
        newer = schema if name == "plans" else schema.insert(3, field)
        monkeypatch.setitem(schemas.TABLES, name, newer.with_metadata(version))
    added = {"readings": ("watts",), "networks": ("watts",)}
    monkeypatch.setitem(schemas.ADDED, number, added)
    monkeypatch.setattr(schemas, "SCHEMA_VERSION", number)


def test_older_parts_are_read_beside_newer_ones(
    tmp_path: Path, make_reading: ReadingMaker, request: pytest.FixtureRequest
) -> None:
    add(tmp_path, make_reading(key="old", seed=1))
    request.getfixturevalue("next_version")
    add(tmp_path, make_reading(key="new", seed=2, watts=[3.5]))
    rows = read_results(tmp_path)
    assert rows.schema.equals(schemas.TABLES["readings"])
    found = {row["key"]: (row["seed"], row["watts"]) for row in rows.to_pylist()}
    assert found == {"old": (1, None), "new": (2, [3.5])}
    columns = store.read_frame(tmp_path, "readings", ["watts", "key"])
    assert sorted(columns["key"]) == ["new", "old"]


@pytest.mark.usefixtures("next_version")
def test_the_committed_results_are_read_by_a_later_version(request: pytest.FixtureRequest) -> None:
    core = request.config.rootpath / "leaderboard" / "results" / "digits"
    assert read_results(core)["watts"].null_count == read_results(core).num_rows > 10_000
    assert read_networks(core)["watts"].null_count == read_networks(core).num_rows == 140
    assert store.read_plans(core).num_rows == read_results(core).num_rows


@pytest.mark.usefixtures("next_version")
def test_a_column_that_came_later_is_not_made_up_for_newer_parts(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    lacking = store.table("readings", [make_reading()]).drop_columns(["watts"])
    version = str(schemas.SCHEMA_VERSION).encode()
    assert lacking.schema.metadata[b"memgen_schema_version"] == version
    path = put(tmp_path, lacking)
    assert refusal(tmp_path).startswith(f"{path}: not a results file")


def test_a_part_of_very_many_equal_rows_is_refused(
    tmp_path: Path, make_reading: ReadingMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_MANY_ROWS", 1000)
    fine = add(tmp_path, *(make_reading(key=f"k{n}") for n in range(600)))
    row = store.table("readings", [make_reading(key="same")])
    bomb = parts.write_part(tmp_path, "readings", "net", pa.concat_tables([row] * 1500))
    assert bomb.stat().st_size < 2 * fine.stat().st_size
    assert f"{bomb}: not a results file" in refusal(tmp_path)
    bomb.unlink()
    add(tmp_path, *(make_reading(key=f"l{n}") for n in range(600)))  # together more, each fewer
    assert len(read_results(tmp_path)) == 1200


@pytest.mark.parametrize("kind", ["pipe", "folder", "sparse"])
def test_what_is_no_file_of_ours_is_named_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    (tmp_path / "readings").mkdir()
    path = tmp_path / "readings" / "net-0123456789ab.parquet"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(200 << 30)
    assert f"{path}: cannot be read" in refusal(tmp_path)
    assert kind == "folder" or "move it" in refusal(tmp_path)
