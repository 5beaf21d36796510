"""Test images that are also training images are counted, and a user is told."""

from __future__ import annotations

import numpy as np
import pytest

from memgen_bench import Data
from memgen_bench.data.overlap import overlap, overlap_notices


def data(shared: int, count: int = 2000) -> Data:
    """Make 2000 images a part, all different but for some that are in both."""
    x = np.arange(2 * count, dtype=np.float32).reshape(-1, 1, 1, 1)
    y = np.zeros(count, dtype=np.int64)
    test_x = x[count:].copy()
    test_x[5 : 5 + shared] = x[:shared]
    return Data(train_x=x[:count], train_y=y, test_x=test_x, test_y=y)


@pytest.mark.parametrize("shared", [0, 1, 2000 - 5])
def test_shared_images_are_counted(shared: int) -> None:
    assert overlap(data(shared)) == shared


def test_one_in_a_thousand_is_tolerated_and_more_is_told() -> None:
    assert overlap_notices(data(2)) == ()
    (notice,) = overlap_notices(data(3))
    assert notice.startswith("3 of 2000 test images are also training images: ")
