"""Verification: what is damaged or makes no sense is named, and can be set aside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from memgen_bench import read_results
from memgen_bench.errors import StoreError
from memgen_bench.results import schemas, store, verification
from memgen_bench.results.compaction import Compacted, compact
from memgen_bench.results.parts import list_parts, version_of
from memgen_bench.results.verification import set_aside, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    ReadingMaker = Callable[..., dict[str, Any]]

WITHOUT = "fine without a test accuracy, or with one and not fine"
RIGHT = np.packbits([1, 0] * 100).tobytes()
START = datetime(2026, 5, 1, tzinfo=UTC)


def add(folder: Path, *rows: dict[str, Any], name: str = "readings") -> Path:
    return store.write_part(folder, name, "net", store.table(name, rows))


@pytest.fixture
def sound(tmp_path: Path, make_reading: ReadingMaker) -> Path:
    """A folder in which nothing is wrong."""
    network = {"network_id": "net", "status": "ok", "created": START, "accuracy_given": 1.0}
    add(tmp_path, network, name="networks")
    add(
        tmp_path,
        make_reading(key="a", network_id="net", test_correct=np.packbits([1, 0] * 100).tobytes()),
        make_reading(key="b", network_id="net", status="failed", test_accuracy=None),
    )
    add(tmp_path, {"suite": "toy", "suite_version": 1, "key": "a"}, name="plans")
    successor = {"key": "s", "network_id": "net", "status": "ok", "readout_after": 0.5}
    add(tmp_path, successor | {"created": START}, name="successors")
    return tmp_path


def messages(folder: Path) -> list[str]:
    faults = [fault.message for fault in verify(folder)]
    assert not any("\n" in message for message in faults)
    return faults


def test_a_sound_folder_has_no_faults(sound: Path) -> None:
    assert messages(sound) == []


def test_the_committed_results_have_no_faults(request: pytest.FixtureRequest) -> None:
    assert messages(request.config.rootpath / "leaderboard" / "results" / "digits") == []


@pytest.mark.parametrize("name", schemas.TABLES)
def test_damage_is_named_set_aside_and_the_rest_stays(name: str, sound: Path) -> None:
    (part,) = (sound / name).iterdir()
    others = {path for path in sound.rglob("*.parquet") if path != part}
    content = part.read_bytes()
    part.write_bytes(content[:40] + bytes([content[40] ^ 8]) + content[41:])
    fault, *further = verify(sound)
    assert fault.damaged == part
    assert fault.message.startswith(f"{part}: damaged (its contents are not what was written); ")
    lost = "readings of networks that" if name == "networks" else ""
    assert [lost in f.message and not f.damaged for f in further] == [True] * bool(lost)
    moved = set_aside(part)
    assert moved == sound / "damaged" / name / part.name
    assert set(sound.rglob("*.parquet")) == {moved, *others}
    assert store.read_frame(sound, name).is_empty()
    assert [f.message for f in verify(sound)] == [f.message for f in further]


@pytest.mark.parametrize(
    ("name", "columns", "says"),
    [
        ("readings", {"key": None}, "no key, network, status or time"),
        ("readings", {"created": None}, "no key, network, status or time"),
        ("readings", {"status": "fine", "test_accuracy": None}, "an unknown status"),
        ("readings", {"validation_accuracy": 1.5}, "a share outside [0, 1]"),
        ("readings", {"balanced_accuracy": float("nan")}, "a share outside [0, 1]"),
        ("readings", {"rate": -0.1}, "a share outside [0, 1]"),
        ("readings", {"test_accuracy": None}, WITHOUT),
        ("readings", {"status": "failed"}, WITHOUT),
        ("readings", {"test_correct": b"\xff"}, "another test accuracy than test_correct"),
        ("networks", {"network_id": None}, "no identity, status or time"),
        ("networks", {"status": "fine"}, "an unknown status"),
        ("networks", {"accuracy_wrong": -1.0}, "a share outside [0, 1]"),
        ("plans", {"key": None}, "no suite or key"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_rows_that_make_no_sense_are_named(
    name: str, columns: dict[str, Any], says: str, sound: Path, make_reading: ReadingMaker
) -> None:
    row = {
        "readings": make_reading(key="c", network_id="net"),
        "networks": {"network_id": "other", "status": "ok", "created": START},
        "plans": {"suite": "toy", "suite_version": 1, "key": "c"},
    }[name]
    part = add(sound, row | columns, name=name)
    (fault,) = verify(sound)
    assert fault.damaged == part
    assert fault.message == f"{part}: {says} (rows: 1); set it aside and run again"


def test_a_reading_needs_its_network(sound: Path, make_reading: ReadingMaker) -> None:
    part = add(sound, make_reading(key="c", network_id="lost"))
    networks = sound / "networks"
    assert messages(sound) == [
        f"{part}: readings of networks that {networks} lacks (rows: 1); run again"
    ]


def test_two_fine_rows_that_differ_are_named(sound: Path, make_reading: ReadingMaker) -> None:
    (first,) = (sound / "readings").iterdir()
    second = add(sound, make_reading(key="a", network_id="net", test_accuracy=0.25))
    (message,) = messages(sound)
    assert message.startswith("conflict: a (network_id net, decoder masc, ")
    assert "differs in test_accuracy, test_correct: " in message
    assert str(first) in message
    assert str(second) in message


def test_rows_that_failed_before_they_were_fine_are_no_fault(
    sound: Path, make_reading: ReadingMaker
) -> None:
    add(sound, make_reading(key="a", network_id="net", status="failed", test_accuracy=None))
    assert messages(sound) == []


def test_a_newer_part_and_a_strange_file_are_named_but_not_damaged(sound: Path) -> None:
    strange = sound / "readings" / "notes.parquet"
    strange.write_bytes(b"precious")
    (fault,) = verify(sound)
    assert fault.message == f"{strange}: not a results file of memgen-bench; move it elsewhere"
    assert fault.damaged is None
    with pytest.raises(StoreError):
        read_results(sound)


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such results folder"):
        verify(tmp_path / "nowhere")


def test_rows_that_a_run_adds_meanwhile_are_no_faults(
    sound: Path, make_reading: ReadingMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []

    def with_a_run_beside(folder: Path, name: str) -> list[Path]:
        number = len(listed)
        listed.append(name)
        network = {"network_id": f"n{number}", "status": "ok", "created": START}
        add(folder, network, name="networks")
        add(folder, make_reading(key=f"k{number}", network_id=f"n{number}", test_correct=RIGHT))
        return list_parts(folder, name)

    monkeypatch.setattr(verification, "list_parts", with_a_run_beside)
    assert messages(sound) == []
    assert set(listed) == set(schemas.TABLES)


def test_parts_that_a_compaction_replaces_meanwhile_are_no_faults(
    sound: Path, make_reading: ReadingMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(sound, make_reading(key="c", network_id="net", test_correct=RIGHT))
    compacted: list[Compacted] = []

    def with_a_compaction_beside(path: Path) -> int:
        if not compacted:
            compacted.extend(compact(sound))
        return version_of(path)

    monkeypatch.setattr(verification, "version_of", with_a_compaction_beside)
    assert messages(sound) == []
    assert compacted


def test_rows_with_nan_are_named_and_do_not_count(sound: Path, make_reading: ReadingMaker) -> None:
    for column in ("test_accuracy", "validation_accuracy", "train_accuracy_true"):
        row = make_reading(key=column, network_id="net", test_correct=RIGHT) | {column: np.nan}
        part = add(sound, row)
        assert any(str(part) in message for message in messages(sound)), column
    assert set(read_results(sound)["key"].to_pylist()) == {"a", "b"}
