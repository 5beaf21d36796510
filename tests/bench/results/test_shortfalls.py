"""Why networks did not memorize and readings were not made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from helpers.readings import stored_frame
from memgen_bench.results import store
from memgen_bench.results.shortfalls import MOST, why_not_read, why_unmemorized

if TYPE_CHECKING:
    from collections.abc import Iterable

LOST = {
    "network_id": "n",
    "model": "cnn",
    "dataset": "pets",
    "kind": "clean",
    "rate": 0.0,
    "seed": 0,
    "memorized": False,
    "target": 1.0,
    "max_epochs": 500,
    "epochs": 8,
    "stop_reason": "target",
    "accuracy_given": 0.34,
    "curve_train_accuracy": [0.5, 1.0],
}


def networks(*changes: dict[str, Any]) -> pl.DataFrame:
    found = pl.from_arrow(store.table("networks", [LOST | change for change in changes]))
    assert isinstance(found, pl.DataFrame)
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "100.0 % of their labels right in training, and 34.0 % in eval mode, where 99 %"),
        ({}, "running statistics, as of BatchNorm, lag behind"),
        ({}, "recipe = { min_epochs = 24 }"),
        ({"stop_reason": "max_epochs"}, "had 34.0 % of their labels right after max_epochs = 500"),
        ({"target": 0.9}, "stopped at their target of 90.0 %"),
        ({"accuracy_given": 0.995, "accuracy_wrong": 0.97}, "97.0 % of their wrong labels right"),
        ({"curve_train_accuracy": None}, "had 34.0 % of their labels right, where 99 %"),
    ],
)
def test_a_network_that_did_not_memorize_has_a_reason_and_a_mend(
    change: dict[str, Any], said: str
) -> None:
    (line,) = why_unmemorized(networks(change))
    assert line.startswith("1 network (cnn on pets, clean, seed 0) ")
    assert said in line


def test_networks_that_share_a_reason_share_a_line() -> None:
    lines = why_unmemorized(
        networks(
            {"stop_reason": "max_epochs"},
            {},
            {"accuracy_given": 0.82, "kind": "memorized", "noise": "uniform", "rate": 0.4},
            {"memorized": True},
            {"memorized": None},
        )
    )
    assert [line.split(" ")[0] for line in lines] == ["2", "1"]
    assert "34.0 to 82.0 % in eval mode" in lines[0]


def readings(make: Any, *changes: dict[str, Any]) -> pl.DataFrame:
    rows: Iterable[dict[str, Any]] = (make(**change) for change in changes)
    return stored_frame(rows)


def test_readings_that_differ_only_in_numbers_share_a_line(make_reading: Any) -> None:
    failed = {"status": "failed", "error_type": "error"}
    found = why_not_read(
        readings(
            make_reading,
            {"decoder": "a", "message": "ValueError: 3 is odd", **failed},
            {"decoder": "b", "message": "ValueError: 0.5 is odd", **failed},
            {"decoder": "c", "message": "took 9 s", "status": "failed", "error_type": "timeout"},
            {"decoder": "d", "message": "takes vectors", "status": "skipped"},
            {"decoder": "e"},
        )
    )
    where = "mlp on digits, uniform 0.4, seed 0, layer fc1"
    assert found == [
        f"2 readings failed, of 2 decoders (as a on {where}): ValueError: 3 is odd; mend it, and "
        "--retry-failed computes them again",
        f"1 reading failed (c on {where}): took 9 s; --timeout allows a step more seconds",
        f"1 reading skipped (d on {where}): takes vectors",
    ]


def test_many_reasons_are_counted(make_reading: Any) -> None:
    letters = [{"message": chr(97 + k), "status": "skipped"} for k in range(MOST + 2)]
    found = why_not_read(readings(make_reading, *letters))
    assert len(found) == MOST + 1
    assert found[-1].startswith("and 2 other reasons")
