"""MASC after whitening, against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from helpers.noisy_digits import TEST, X, Y
from memgen_plugins.decoders.layer.whitened import WhitenedMASC

pytestmark = pytest.mark.usefixtures("one_thread")


def test_whitening_leaves_the_directions_in_which_a_class_stands_out() -> None:
    fitted = WhitenedMASC(3, 0.2).fit(X, Y)
    everything = X.T @ X / len(X)
    everything = 0.8 * everything + 0.2 * np.trace(everything) / 64 * np.eye(64)
    root = np.linalg.inv(scipy.linalg.sqrtm(everything).real)
    scores = []
    for k in range(10):
        _, axes = np.linalg.eigh(root @ (X[k == Y].T @ X[k == Y] / np.sum(k == Y)) @ root)
        scores.append(((TEST @ root @ axes[:, -3:]) ** 2).sum(axis=1))
    assert np.mean(fitted.predict(TEST) == np.argmax(scores, axis=0)) >= 0.998


def test_a_class_has_no_more_whitened_axes_than_its_points_span() -> None:
    points = np.random.default_rng(0).standard_normal((10, 40)).astype(np.float32)
    for count in (1, 2, 8):
        fitted = WhitenedMASC(count).fit(points, np.arange(10))
        assert fitted.components_.shape == (10 * count, 40)
        assert (fitted.predict(points) == np.arange(10)).all()
