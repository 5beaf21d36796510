"""Nearest centroids against scikit-learn's, or their definition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from helpers.references import (
    TEST,
    TEST64,
    X64,
    X,
    Y,
)
from memgen_plugins.decoders.layer.centroid import CosineCentroid, EuclideanCentroid

pytestmark = pytest.mark.usefixtures("one_thread")


def test_cosine_centroid_follows_its_definition() -> None:
    classes = np.unique(Y)
    means = np.stack([X[k == Y].mean(axis=0) for k in classes])
    cosine = (TEST @ means.T) / np.linalg.norm(means, axis=1)
    predicted = CosineCentroid().fit(X, Y).predict(TEST)
    assert (predicted == classes[cosine.argmax(axis=1)]).all()
    euclidean = ((TEST[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (predicted != classes[euclidean]).any()  # the two rules differ


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # digits have black corners
def test_euclidean_centroid_equals_scikit_learns() -> None:
    reference = NearestCentroid().fit(X64, Y)
    fitted = EuclideanCentroid().fit(X, Y)
    np.testing.assert_allclose(fitted.coef_, reference.centroids_, rtol=1e-12)
    assert (fitted.predict(TEST) == reference.predict(TEST64)).all()


def test_a_class_with_a_zero_mean_wins_nothing_that_points_elsewhere() -> None:
    fitted = CosineCentroid().fit([[1, 0], [-1, 0], [0, 1], [0, 2]], [0, 0, 1, 1])
    assert fitted.predict([[0.5, 1], [0, -1]]).tolist() == [1, 0]
