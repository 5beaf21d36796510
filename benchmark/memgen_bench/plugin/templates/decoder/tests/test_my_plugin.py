"""Tests of this decoder beyond memgen-bench's contract."""

import numpy as np
from my_plugin import MyPlugin


def test_points_belong_to_the_class_whose_mean_is_nearest():
    X = np.array([[0.0, 1.0], [0.0, 4.0], [9.0, 9.0], [9.0, 4.0]])
    decoder = MyPlugin().fit(X, np.array([3, 3, 7, 7]))
    assert decoder.predict(np.array([[0.0, 2.0], [9.0, 6.0]])).tolist() == [3, 7]
