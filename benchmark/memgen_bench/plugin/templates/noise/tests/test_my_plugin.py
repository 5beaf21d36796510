"""Tests of this noise beyond memgen-bench's contract."""

import numpy as np
from my_plugin import corrupt


def test_labels_become_their_neighbours():
    given = corrupt(np.full(1000, 3), 1.0, 10, np.random.default_rng(0))
    assert set(given) == {2, 4}
