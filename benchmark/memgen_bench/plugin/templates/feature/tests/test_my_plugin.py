"""Tests of these features beyond memgen-bench's contract."""

import numpy as np
from my_plugin import MyPlugin


def test_a_shifted_image_has_the_same_features():
    image = np.random.default_rng(0).random((1, 1, 8, 8), dtype=np.float32)
    features = MyPlugin().fit(image, seed=0)
    shifted = np.roll(image, 3, axis=3)
    assert np.allclose(features.transform(image), features.transform(shifted), atol=1e-4)
