"""Weights that are not negative against the quadratic programme that they solve."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from sklearn.metrics.pairwise import rbf_kernel

from memgen_plugins.decoders.base.nonnegative import nonnegative_weights


def weights_of_textbook(gram: np.ndarray, aim: np.ndarray) -> np.ndarray:
    """The same weights by a solver with bounds."""
    found = minimize(
        lambda w: (w @ gram @ w / 2 - w @ aim, gram @ w - aim),
        aim,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * len(aim),
        options={"maxiter": 20000, "maxfun": 100000, "ftol": 1e-15, "gtol": 1e-10},
    )
    weights: np.ndarray = found.x
    return weights


def test_they_are_those_of_the_quadratic_programme() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        kernel = rbf_kernel(rng.standard_normal((13, 4)), gamma=0.3)
        ours = nonnegative_weights(kernel[1:, 1:], kernel[0, 1:])
        assert (ours >= 0).all()
        np.testing.assert_allclose(
            ours, weights_of_textbook(kernel[1:, 1:], kernel[0, 1:]), atol=1e-4
        )


def test_a_part_that_another_stands_before_has_no_weight() -> None:
    kernel = rbf_kernel(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 1.5]]), gamma=0.5)
    weights = nonnegative_weights(kernel[1:, 1:], kernel[0, 1:])
    assert weights[1] == 0
    assert (weights[[0, 2]] > 0.1).all()


def test_of_parts_that_coincide_each_gets_a_share() -> None:
    np.testing.assert_allclose(nonnegative_weights(np.ones((2, 2)), np.ones(2)).sum(), 1, rtol=1e-5)
