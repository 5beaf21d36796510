"""The store: versioned, immutable Parquet parts that everybody can read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from memgen_bench import read_networks, read_results
from memgen_bench.errors import StoreError
from memgen_bench.results import schemas, store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    ReadingMaker = Callable[..., dict[str, Any]]

START = datetime(2026, 5, 1, tzinfo=UTC)


def add(folder: Path, *rows: dict[str, Any], name: str = "readings") -> Path:
    """Write rows as one part of the network `net`."""
    return store.write_part(folder, name, "net", store.table(name, rows))


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_rows_come_back_as_they_were_stored(tmp_path: Path, make_reading: ReadingMaker) -> None:
    row = make_reading(
        class_accuracy=[0.5, None, 1.0], test_correct=b"\xf0\x01", message="a | b\nc", rate=0.4
    )
    add(tmp_path, row)
    (stored,) = read_results(tmp_path).to_pylist()
    assert {name: stored[name] for name in row} == row
    assert stored["error_type"] is None


def test_an_unknown_column_is_refused(make_reading: ReadingMaker) -> None:
    with pytest.raises(KeyError, match="test_acuracy"):
        store.table("readings", [make_reading(test_acuracy=0.5)])


@pytest.mark.parametrize(
    ("statuses", "winner"),
    [
        (["ok", "failed"], 0),
        (["failed", "ok"], 1),
        (["skipped", "failed"], 0),
        (["failed", "skipped", "ok"], 2),
        (["ok", "skipped", "failed"], 0),
        (["ok", "ok"], 1),
        (["failed", "failed"], 1),
    ],
)
def test_of_rows_with_one_key_the_best_status_wins_then_the_newest(
    statuses: list[str], winner: int, tmp_path: Path, make_reading: ReadingMaker
) -> None:
    for age, status in enumerate(statuses):
        created = START + timedelta(hours=age)
        add(tmp_path, make_reading(key="contested", status=status, seed=age, created=created))
    add(tmp_path, make_reading(key="other", seed=99))
    rows = {row["key"]: row["seed"] for row in read_results(tmp_path).to_pylist()}
    assert rows == {"contested": winner, "other": 99}


def test_networks_come_back_one_row_each(tmp_path: Path) -> None:
    for hours, epochs in ((1, 20), (0, 10)):
        created = START + timedelta(hours=hours)
        row = {"network_id": "net", "status": "ok", "epochs": epochs, "created": created}
        add(tmp_path, row, name="networks")
    (network,) = read_networks(tmp_path).to_pylist()
    assert network["epochs"] == 20


def plan_of(folder: Path, suite: str, *keys: str, version: int = 1) -> Path:
    """Write the plan of a suite."""
    rows = [{"suite": suite, "suite_version": version, "key": key} for key in keys]
    return store.write_part(folder, "plans", suite, store.table("plans", rows))


def test_a_reading_that_several_plans_name_is_in_each_suite_once(tmp_path: Path) -> None:
    plan_of(tmp_path, "toy", "a", "b")
    plan_of(tmp_path, "toy", "b", "c")
    plan_of(tmp_path, "toy", "a", version=2)
    plan_of(tmp_path, "other", "b")
    rows = [tuple(row.values()) for row in store.read_plans(tmp_path).to_pylist()]
    assert sorted(rows) == [
        ("other", 1, "b"),
        ("toy", 1, "a"),
        ("toy", 1, "b"),
        ("toy", 1, "c"),
        ("toy", 2, "a"),
    ]


def test_the_same_plan_is_stored_once(tmp_path: Path) -> None:
    assert plan_of(tmp_path, "toy", "a") == plan_of(tmp_path, "toy", "a")
    assert len(files_below(tmp_path)) == 1


def test_an_empty_folder_has_no_rows_but_the_columns(tmp_path: Path) -> None:
    assert read_results(tmp_path).schema.names == schemas.READINGS.names
    assert len(read_results(tmp_path)) == len(read_networks(tmp_path)) == 0
    assert store.read_plans(tmp_path).schema.equals(schemas.PLANS)


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere: no such results folder"):
        read_results(tmp_path / "nowhere")


def test_columns_come_alone_and_of_the_rows_that_count(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    add(tmp_path, make_reading(key="b", status="failed", test_accuracy=None))
    add(tmp_path, make_reading(key="a", test_accuracy=0.25))
    add(tmp_path, make_reading(key="b", test_accuracy=0.75))
    found = store.read_frame(tmp_path, "readings", ["test_accuracy", "layer"])
    assert found.columns == ["test_accuracy", "layer"]
    assert sorted(found.rows()) == [(0.25, "fc1"), (0.75, "fc1")]
    assert store.read_frame(tmp_path, "readings", []).columns == []


def test_a_folder_may_have_any_name(tmp_path: Path, make_reading: ReadingMaker) -> None:
    folder = tmp_path / "seed=7" / "[a]*?"
    add(folder, make_reading(seed=3))
    assert read_results(folder)["seed"].to_pylist() == [3]


def test_of_rows_that_agree_the_last_in_order_stays_in_place() -> None:
    rows = pl.DataFrame({"name": ["a", "b", "a", None, "a", None], "age": [1, 9, 3, 4, 3, 2]})
    kept = store.latest(rows, ["name"], ["age"])
    assert kept.rows() == [("b", 9), (None, 4), ("a", 3)]


def test_final_readings_are_those_that_means_may_be_over(
    tmp_path: Path, make_reading: ReadingMaker
) -> None:
    network = {"network_id": "n", "protocol_version": 2}
    for changes in (
        {"key": "fine"},
        {"key": "older decoder", "decoder_version": 0},
        {"key": "older protocol", "protocol_version": 1, "layer": "fc2"},
        {"key": "checkpoint", "epoch": 4},
        {"key": "failed", "status": "failed", "layer": "fc3"},
        {"key": "lost", "memorized": False, "network_id": "lost"},
        {"key": "lost twin", "kind": "clean", "memorized": False, "network_id": "twin"},
        {"key": "random", "kind": "random", "memorized": False, "network_id": "random"},
        {"key": "features", "kind": "features", "memorized": None, "network_id": "pixels"},
    ):
        add(tmp_path, make_reading(**{**network, **changes}))
    found = read_results(tmp_path, final=True)
    assert sorted(found["key"].to_pylist()) == ["features", "fine", "random"]
    assert read_results(tmp_path).num_rows == 9


@pytest.fixture
def two_parts(tmp_path: Path, make_reading: ReadingMaker) -> str:
    """A glob of two parts, of which one has only nulls in most columns."""
    values = {"test_accuracy": 0.75, "class_accuracy": [0.5, 1.0], "test_correct": b"\x01"}
    add(tmp_path, make_reading(key="a", **values))
    add(tmp_path, make_reading(key="b", test_accuracy=None, status="failed"))
    return str(tmp_path / "readings" / "*.parquet")


def test_duckdb_reads_the_folder(two_parts: str) -> None:
    query = f"select key, test_accuracy, rate from read_parquet('{two_parts}') order by key"
    relation = duckdb.sql(query)
    assert relation is not None
    assert relation.fetchall() == [("a", 0.75, 0.4), ("b", None, 0.4)]


def test_pandas_reads_the_folder(two_parts: str) -> None:
    folder = two_parts.rpartition("/")[0]
    frame = pd.read_parquet(folder).sort_values("key")
    assert frame["key"].tolist() == ["a", "b"]
    assert frame["test_accuracy"].iloc[0] == 0.75
    assert frame["test_accuracy"].isna().tolist() == [False, True]


def test_polars_reads_the_folder(two_parts: str) -> None:
    frame = pl.read_parquet(two_parts).sort("key")
    assert frame["test_accuracy"].to_list() == [0.75, None]
    assert frame["class_accuracy"].to_list() == [[0.5, 1.0], None]
