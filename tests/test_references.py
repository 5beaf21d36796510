"""Decoders written here against scikit-learn's, or against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from memgen_plugins.centroid import CosineCentroid
from memgen_plugins.neighbors import CosineNeighbors

DIGITS = load_digits()
X, TEST = DIGITS.data[:1000].astype(np.float32), DIGITS.data[1000:].astype(np.float32)
Y = np.where(np.random.default_rng(0).random(1000) < 0.4, 3, DIGITS.target[:1000])


@pytest.mark.parametrize("k", [1, 5, 50])
def test_neighbours_equal_scikit_learns(k: int) -> None:
    reference = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(
        X.astype(np.float64), Y
    )
    ours = CosineNeighbors(k).fit(X.astype(np.float64), Y)
    assert (ours.predict(TEST) == reference.predict(TEST.astype(np.float64))).all()


def test_neighbours_in_blocks_are_the_same_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = CosineNeighbors(5).fit(X, Y)
    at_once = fitted.predict(TEST)
    monkeypatch.setattr("memgen_plugins.neighbors._BLOCK", 13)
    assert (fitted.predict(TEST) == at_once).all()


def test_with_fewer_points_than_neighbours_all_of_them_vote() -> None:
    fitted = CosineNeighbors(50).fit(np.eye(5), [1, 1, 1, 0, 0])
    assert fitted.predict(np.eye(5)).tolist() == [1] * 5


def test_cosine_centroid_follows_its_definition() -> None:
    classes = np.unique(Y)
    means = np.stack([X[k == Y].mean(axis=0) for k in classes])
    cosine = (TEST @ means.T) / np.linalg.norm(means, axis=1)
    predicted = CosineCentroid().fit(X, Y).predict(TEST)
    assert (predicted == classes[cosine.argmax(axis=1)]).all()
    euclidean = ((TEST[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (predicted != classes[euclidean]).any()  # the two rules differ


def test_a_class_with_a_zero_mean_wins_nothing_that_points_elsewhere() -> None:
    fitted = CosineCentroid().fit([[1, 0], [-1, 0], [0, 1], [0, 2]], [0, 0, 1, 1])
    assert fitted.predict([[0.5, 1], [0, -1]]).tolist() == [1, 0]
