"""Parameters of a decoder as its key holds them."""

from __future__ import annotations

import numpy as np

from memgen_bench.plugin.parameters import parameters


def test_parameters_hold_lists_tuples_and_arrays() -> None:
    from sklearn.linear_model import RidgeClassifierCV

    for grid in ([1.0, 10.0], (1.0, 10.0), np.array([1.0, 10.0])):
        assert parameters(RidgeClassifierCV(alphas=grid))["alphas"] == [1.0, 10.0]
