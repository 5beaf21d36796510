"""Room for large arrays: in memory within the budget, in files that nobody sees beyond it."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memgen_bench.decode.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
SHAPE = (2 * MIB // 4 // 64, 64)  # 2 MiB of float32


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def in_a_file(array: np.ndarray) -> bool:
    return isinstance(array, np.memmap)


def test_arrays_lie_in_memory_while_the_budget_lasts() -> None:
    scratch = Scratch(5 * MIB)
    arrays = [scratch.empty(SHAPE) for _ in range(4)]
    assert [in_a_file(array) for array in arrays] == [False, False, True, True]
    for array in arrays:
        assert array.shape == SHAPE
        assert array.dtype == np.float32
        array[...] = 1
        assert array.sum() == 2 * MIB // 4


def test_room_is_given_back_when_arrays_are_dropped() -> None:
    scratch = Scratch(4 * MIB)
    first, second = scratch.empty(SHAPE), scratch.empty(SHAPE)
    assert in_a_file(scratch.empty(SHAPE))
    view = first[1:]
    del first
    assert in_a_file(scratch.empty(SHAPE))  # the view keeps its array
    del view
    third = scratch.empty(SHAPE)
    assert not in_a_file(third)
    assert in_a_file(scratch.empty(SHAPE))
    del second, third
    assert not in_a_file(scratch.empty((2 * SHAPE[0], SHAPE[1])))


def test_small_arrays_and_empty_ones_never_make_a_file() -> None:
    scratch = Scratch(0)
    arrays = [scratch.empty((MIB // 4 // 64, 64)) for _ in range(5)]
    arrays += [scratch.empty((0, 64)), scratch.hold(np.zeros(3))]
    assert not any(map(in_a_file, arrays))


def test_the_budget_counts_bytes_of_any_type() -> None:
    scratch = Scratch(3 * MIB)
    assert in_a_file(scratch.empty((MIB // 2,), np.float64))
    array = scratch.empty((MIB // 2,), np.int32)
    assert not in_a_file(array)
    assert array.dtype == np.int32


def test_files_are_unlinked_as_soon_as_they_are_made(temporary: Path) -> None:
    array = Scratch(0).empty(SHAPE)
    assert in_a_file(array)
    assert list(temporary.iterdir()) == []
    array[...] = np.arange(64)
    assert (array == np.arange(64)).all()


@pytest.mark.parametrize("budget", [0, 4 * MIB])
def test_what_is_held_keeps_its_content(budget: int) -> None:
    array = np.random.default_rng(0).standard_normal((SHAPE[0] // 2, SHAPE[1]))
    held = Scratch(budget).hold(array)
    assert in_a_file(held) is (budget == 0)
    assert (held is array) is (budget > 0)
    assert held.dtype == np.float64
    assert (held == array).all()


def test_what_is_held_in_memory_counts_until_it_is_dropped() -> None:
    scratch = Scratch(3 * MIB)
    held = scratch.hold(np.zeros(SHAPE, np.float32))
    assert in_a_file(scratch.empty(SHAPE))
    del held
    assert not in_a_file(scratch.empty(SHAPE))


def test_a_full_disk_is_one_clear_line(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="no room for") as caught:
        Scratch(0).empty((3 << 28,))  # 3 GiB, of which nothing is written
    assert caught.value.errno == errno.ENOSPC
    text = str(caught.value)
    for part in ("3.0 GiB of activations", str(temporary), "No space left", "TMPDIR", "--memory"):
        assert part in text
    assert "\n" not in text
    assert list(temporary.iterdir()) == []


def test_where_the_disk_cannot_be_asked_the_file_just_grows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    array = Scratch(0).empty(SHAPE)
    assert in_a_file(array)
    array[...] = 2
    assert array.mean() == 2
