"""The Fisher subspace against scipy's generalised eigenproblem."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from sklearn.covariance import OAS
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
)

from helpers.noisy_digits import TEST, X, Y
from memgen_plugins.decoders.layer.centroid import EuclideanCentroid
from memgen_plugins.decoders.layer.fisher import FisherSubspace
from memgen_plugins.decoders.layer.gaussian import Mahalanobis

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_fisher_subspace_solves_the_generalised_eigenproblem() -> None:
    shared = sum(np.mean(k == Y) * OAS().fit(X[k == Y]).covariance_ for k in range(10))
    means = np.stack([X[k == Y].mean(axis=0) for k in range(10)]) - X.mean(axis=0)
    between = (means.T * np.bincount(Y)) @ means / len(Y)
    _, vectors = scipy.linalg.eigh(between, shared)
    expected = (TEST - X.mean(axis=0)) @ vectors[:, ::-1][:, :9]
    fitted = FisherSubspace(EuclideanCentroid()).fit(X, Y)
    found = (TEST - fitted.mean_) @ fitted.axes_
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-5)
    assert np.mean(fitted.predict(TEST) == Mahalanobis().fit(X, Y).predict(TEST)) >= 0.995
    reference = LinearDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS()).fit(X, Y)
    np.testing.assert_allclose(reference.covariance_, shared)  # of its own scatter between them
