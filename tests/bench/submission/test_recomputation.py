"""Rows that differ are found; which ones are computed again nobody knows before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace as Some
from typing import Any

import polars as pl
import pytest

from memgen_bench.errors import DataNotFoundError, UsageError
from memgen_bench.results.schemas import READINGS
from memgen_bench.submission.recomputation import choose, compare

KEYS = [f"key-{place:02}" for place in range(40)]


def rows(**changes: Any) -> pl.DataFrame:
    one: dict[str, Any] = dict.fromkeys(READINGS.names)
    one |= {"model": "mlp", "dataset": "digits", "rate": 0.4, "seed": 0, "kind": "memorized"}
    one |= {"layer": "fc1", "status": "ok", "test_correct": b"\x0f", "test_accuracy": 0.5}
    return pl.DataFrame([{**one, **changes, "key": key} for key in KEYS])


@dataclass
class Stated:
    """A bundle with rows."""

    decoder: str = "mine"
    folder: Path = Path("bundle")

    def readings(self) -> pl.DataFrame:
        return rows()


def plan(keys: list[str]) -> Any:
    mine = Some(decoder="mine")
    readings = [Some(key=key, decoding=mine) for key in keys]
    networks = [Some(readings=[*readings, Some(key="x", decoding=Some(decoder="ncm"))])]
    return Some(networks=networks, missing_data={})


def test_a_sample_is_drawn_anew_each_time_and_repeats_with_a_seed() -> None:
    bundle: Any = Stated()
    drawn = [tuple(choose(bundle, plan(KEYS), 8, None)) for _ in range(3)]
    assert len(set(drawn)) > 1
    assert all(len(set(keys)) == 8 and set(keys) <= set(KEYS) for keys in drawn)
    assert choose(bundle, plan(KEYS), 8, 3) == choose(bundle, plan(KEYS), 8, 3)
    assert sorted(choose(bundle, plan(KEYS), 99, None)) == KEYS


def test_rows_of_another_plan_are_refused() -> None:
    bundle: Any = Stated()
    with pytest.raises(UsageError, match="1 readings that are not of its suite here, and lacks 2"):
        choose(bundle, plan([*KEYS[1:], "new-1", "new-2"]), 8, 0)


def test_data_that_are_not_here_are_named() -> None:
    bundle: Any = Stated()
    away = plan([])
    away.missing_data["folder/pets"] = "folder/pets: there is no folder"
    with pytest.raises(DataNotFoundError, match=r"^folder/pets: there is no folder$"):
        choose(bundle, away, 8, 0)


def test_any_measured_column_that_differs_is_found_and_times_are_not() -> None:
    stated = rows()
    assert compare(stated, rows(fit_seconds=3.0)) == []
    found = compare(stated, rows(test_correct=b"\x1f", test_accuracy=0.625).head(3))
    assert [each.key for each in found] == KEYS[:3]
    assert set(found[0].columns) == {"test_correct", "test_accuracy"}
    assert "mlp on digits, ρ 0.4, seed 0, memorized, fc1: " in str(found[0])
    assert "test_accuracy 0.625 and not 0.5" in str(found[0])
    assert len(compare(stated, rows(status="failed"))) == len(KEYS)
