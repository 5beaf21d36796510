"""Tests of this data set beyond memgen-bench's contract."""

from pathlib import Path

from my_plugin import load


def test_there_are_four_directions_in_equal_number():
    data = load(Path())
    assert [(data.train_y == k).sum() for k in range(4)] == [200] * 4
    assert abs(data.train_x.mean()) < 0.1
