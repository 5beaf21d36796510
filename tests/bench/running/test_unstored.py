"""Rows that wait to be stored: how long they wait, and what is given out."""

from __future__ import annotations

import pytest

from memgen_bench.messages import Row
from memgen_bench.running import unstored
from memgen_bench.running.unstored import UnstoredRows


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(unstored, "time", made)
    return made


def reading(key: str, network: str = "net") -> Row:
    return Row("readings", {"key": key, "network_id": network})


def test_rows_wait_from_the_first_on(clock: Clock) -> None:
    rows = UnstoredRows(lambda _: None)
    rows(reading("a"))
    clock.now += 6
    rows(reading("b"))
    rows(reading("c", "other"))
    assert rows.older_than(10) == []
    clock.now += 4
    assert rows.older_than(10) == ["net"]
    assert rows.older_than(0) == ["net", "other"]
    assert rows.take("net")["readings"]["key"].to_pylist() == ["a", "b"]
    assert rows.older_than(0) == ["other"]


def test_a_row_that_took_long_does_not_wait_once_more(clock: Clock) -> None:
    rows = UnstoredRows(lambda _: None)
    rows(reading("a"))
    rows.take("net")
    clock.now += 60
    rows(reading("b"))
    assert rows.older_than(10) == ["net"]
    rows.take("net")
    clock.now += 6
    rows(reading("c"))
    assert rows.older_than(10) == []


def test_nothing_is_kept_of_a_network_that_is_done(clock: Clock) -> None:
    rows = UnstoredRows(lambda _: None)
    rows(reading("a"))
    rows.take("net", last=True)
    clock.now += 60
    rows(reading("b"))  # in another run of the same network
    assert rows.older_than(10) == []
