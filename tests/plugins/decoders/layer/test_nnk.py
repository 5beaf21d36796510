"""Reconstructing neighbours against weights and votes that are found one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import NearestNeighbors

from helpers.noisy_digits import TEST, TEST_TRUE, X, Y
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors
from memgen_plugins.decoders.layer.nnk import KernelNeighbors

pytestmark = pytest.mark.usefixtures("one_thread")

UNITS, TESTS = (points / np.linalg.norm(points, axis=1, keepdims=True) for points in (X, TEST))


def test_votes_are_weights_in_the_reconstruction_by_reliabilities() -> None:
    count, width = 20, 0.4
    search = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute").fit(X)
    others = search.kneighbors(return_distance=False)  # the points themselves left out
    reliable = (Y[others] == Y[:, None]).mean(axis=1)
    ours = KernelNeighbors(count, width).fit(X, Y)
    np.testing.assert_allclose(ours.reliabilities_, reliable, atol=0.05 + 1e-9)
    assert np.mean(np.isclose(ours.reliabilities_, reliable)) > 0.99
    some = TEST[:60]
    expected = np.zeros((len(some), 10))
    for votes, unit, near in zip(
        expected, TESTS, search.kneighbors(some, return_distance=False), strict=False
    ):
        farthest = np.linalg.norm(UNITS[near] - unit, axis=1).max()
        kernel = rbf_kernel(np.vstack([unit, UNITS[near]]), gamma=1 / (2 * (width * farthest) ** 2))
        values, vectors = np.linalg.eigh(kernel)  # rows are images in kernel space
        images = vectors * np.sqrt(np.maximum(values, 0))
        weights, _ = nnls(images[1:].T, images[0])
        np.add.at(votes, Y[near], weights * reliable[near])
    np.testing.assert_allclose(ours.decision_function(some), expected, atol=1e-3)


def test_reliabilities_make_few_votes_bear_noise() -> None:
    fitted = KernelNeighbors().fit(X, Y)
    reliable = np.mean(fitted.predict(TEST) == TEST_TRUE)
    assert reliable > np.mean(CosineNeighbors(5).fit(X, Y).predict(TEST) == TEST_TRUE) + 0.05
    fitted.reliabilities_ = np.ones(len(X))
    assert reliable > np.mean(fitted.predict(TEST) == TEST_TRUE) + 0.05


def test_points_that_coincide_or_are_zero_have_finite_votes() -> None:
    points = np.vstack([np.zeros((2, 3)), np.ones((4, 3)), [[1.0, 0.0, 0.0]]])
    fitted = KernelNeighbors(5).fit(points, [0, 0, 1, 1, 1, 0, 2])
    assert np.isfinite(fitted.decision_function(points)).all()
    assert fitted.predict(np.ones((1, 3))).tolist() == [1]
