"""`memgen-bench results`, as a user calls it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from helpers.command_line import CommandLine, Workplace, rows
from memgen_bench import read_results
from memgen_bench.results import store

if TYPE_CHECKING:
    from pathlib import Path


def test_results_are_verified_and_damage_is_set_aside(
    workplace: Workplace, here: CommandLine
) -> None:
    results = str(workplace.results)
    expected = untimed(workplace.results)
    sound = here("results", "verify", results)
    assert (sound.code, sound.out) == (0, f"{results}: 7 parts, no faults\n")
    part, content = next(iter(workplace.parts("readings").items()))
    part.write_bytes(content[:-1])
    damaged = here("results", "verify", results)
    assert damaged.code == 1
    first, last = damaged.out.splitlines()
    assert first.startswith(f"{part}: damaged")
    assert last == f"{results}: 7 parts, 1 fault"
    assert f"{part}: damaged" in here(*workplace.run("--all")).err

    aside = here("results", "verify", results, "--set-aside")
    assert aside.code == 1
    assert f"{part}: moved to {workplace.results / 'damaged' / 'readings'}\n" in aside.out
    assert here("results", "verify", results).code == 0
    again = here(*workplace.run("--all"))
    assert (again.code, "failed" in again.out) == (0, False)
    assert here("results", "verify", results).code == 0
    assert untimed(workplace.results) == expected


def untimed(results: Path) -> list[dict[str, Any]]:
    times = ("created", "fit_seconds", "predict_seconds")
    return [{k: v for k, v in row.items() if k not in times} for row in rows(results)]


def test_results_are_merged_and_compacted(
    workplace: Workplace, here: CommandLine, tmp_path: Path
) -> None:
    half, results = tmp_path / "half", workplace.results
    shutil.copytree(results, half)
    for part in list(workplace.parts("readings"))[:2]:
        (half / "readings" / part.name).unlink()
    expected = rows(results)
    merged = here("results", "merge", str(tmp_path / "new"), str(half), str(results))
    assert (merged.code, merged.out) == (0, f"{tmp_path / 'new'}: 7 parts added\n")
    assert rows(tmp_path / "new") == expected
    again = here("results", "merge", str(half), str(results))
    assert again.out == f"{half}: 2 parts added\n"

    compacted = here("results", "compact", str(half))
    assert compacted.code == 0
    assert "readings: 3 parts became 1; dropped 0 rows that no longer counted" in compacted.out
    assert rows(half) == expected
    board = here("leaderboard", "--results", str(half)).out
    assert board == here("leaderboard", "--results", str(results)).out


def test_conflicts_are_all_named_and_nothing_is_merged(
    workplace: Workplace, here: CommandLine, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    changed = read_results(workplace.results)
    wrong = [value and 1 - value for value in changed["validation_accuracy"].to_pylist()]
    at = changed.schema.get_field_index("validation_accuracy")
    store.write_part(other, "readings", "net", changed.set_column(at, changed.field(at), [wrong]))
    outcome = here("results", "merge", str(tmp_path / "new"), str(workplace.results), str(other))
    assert outcome.code == 1
    named = outcome.out.splitlines()
    assert len(named) == sum(value != 0.5 for value in wrong)
    assert all("differs in validation_accuracy: " in line for line in named)
    assert outcome.err.startswith(
        f"memgen-bench: error: nothing was merged (conflicts: {len(named)}"
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["csv", "json", "ndjson", "parquet"])
def test_the_rows_that_count_are_exported(
    kind: str, workplace: Workplace, here: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / f"readings.{kind}"
    command = ["results", "export", str(workplace.results), "--out", str(file)]
    outcome = here(*command)
    expected = rows(workplace.results)
    assert (outcome.code, outcome.out) == (0, f"{file}: {len(expected)} readings\n")
    read = {"csv": pl.read_csv, "json": pl.read_json, "ndjson": pl.read_ndjson}.get(
        kind, pl.read_parquet
    )
    found = read(file).sort("key").to_dicts()  # type: ignore[operator]
    for row, wanted in zip(found, expected, strict=True):
        bits, shares = wanted["test_correct"], wanted["class_accuracy"]
        assert row["test_correct"] == (bits if kind == "parquet" else bits.hex())
        assert row["class_accuracy"] == (
            json.dumps(shares).replace(" ", "") if kind == "csv" else shares
        )
        same = ("key", "decoder", "labels", "test_accuracy", "seed", "rankable", "message")
        assert [row[name] for name in same] == [wanted[name] for name in same]
    assert here(*command).code == 2
    networks = here(*command, "--table", "networks", "--force")
    assert networks.out == f"{file}: 3 networks\n"
