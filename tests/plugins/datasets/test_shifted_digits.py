from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memgen_plugins.datasets.shifted_digits import load_shifted_digits, shifted
from memgen_plugins.datasets.sklearn_digits import load_digits

if TYPE_CHECKING:
    from memgen_bench import Data

NOWHERE = Path("no-data-root-is-needed")


@pytest.fixture(scope="module")
def data() -> Data:
    return load_shifted_digits(NOWHERE)


def test_shapes_types_and_range(data: Data) -> None:
    assert data.train_x.shape == (4 * 1297, 1, 16, 16)
    assert data.test_x.shape == (500, 1, 16, 16)
    assert data.train_x.dtype == data.test_x.dtype == np.float32
    assert (data.train_x.min(), data.train_x.max()) == (-1, 1)


def strokes(images: np.ndarray) -> list[bytes]:
    """Return what does not depend on the place: the rows of an image's bounding box."""
    found = []
    for image in images[:, 0]:
        rows, columns = (np.flatnonzero((image > -1).any(axis=axis)) for axis in (1, 0))
        box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        found.append(bytes(box.shape) + box.tobytes())
    return found


def test_training_digits_are_no_test_digits(data: Data) -> None:
    assert not set(strokes(data.train_x)) & set(strokes(data.test_x))


def test_each_copy_is_its_digit_with_its_label_at_another_place(data: Data) -> None:
    digits = load_digits(NOWHERE)
    assert strokes(data.train_x) == 4 * strokes(digits.train_x)
    assert strokes(data.test_x) == strokes(digits.test_x)
    assert (data.train_y == np.tile(digits.train_y, 4)).all()
    assert (data.test_y == digits.test_y).all()
    copies = data.train_x.reshape(4, 1297, -1)
    assert all((copies[i] != copies[j]).any(axis=1).all() for i in range(4) for j in range(i))


def test_places_are_spread_over_the_whole_canvas() -> None:
    dots = np.ones((2000, 1, 1, 1), np.float32)
    places = shifted(dots, 4, 3, np.random.default_rng(0)).reshape(-1, 16).argmax(axis=1)
    assert np.abs(np.bincount(places, minlength=16) - 375).max() < 5 * np.sqrt(375)


def test_the_same_every_time(data: Data) -> None:
    assert np.array_equal(load_shifted_digits(NOWHERE).train_x, data.train_x)
    assert np.argwhere(data.test_x[0, 0] > -1)[0].tolist() == [5, 3]
