"""Decoders as scikit-learn has them, or as a textbook says where it has none, one by one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.linalg import eigh, solve_triangular
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.covariance import OAS
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.plain import textbook_masc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.plain import Matrix

    # From training points, their labels, validation points and their labels, to predictions of
    # further points.
    Plain = Callable[[Matrix, Matrix, Matrix, Matrix, Matrix], Matrix]


def of(build: Callable[[], Any]) -> Plain:
    """Return the predictions of a classifier that is fitted in double precision."""

    def predicted(X: Matrix, y: Matrix, _: Matrix, __: Matrix, points: Matrix) -> Matrix:
        found: Matrix = build().fit(X.astype(np.float64), y).predict(points)
        return found

    return predicted


def tuned(fits: Sequence[Plain]) -> Plain:
    """Return the predictions of the one that is best on validation points."""

    def predicted(X: Matrix, y: Matrix, V: Matrix, v: Matrix, points: Matrix) -> Matrix:
        right = [np.mean(each(X, y, V, v, V) == v) for each in fits]
        return fits[int(np.argmax(right))](X, y, V, v, points)

    return predicted


def masc(variance: float) -> Plain:
    return lambda X, y, _, __, points: textbook_masc(X, y, points, variance)


def velpic(X: Matrix, y: Matrix, _: Matrix, __: Matrix, points: Matrix) -> Matrix:
    vectors = []
    for label in np.unique(y):
        rows = X[y == label].astype(np.float64)
        vector = np.linalg.eigh(rows.T @ rows)[1][:, -1]
        vectors.append(vector * np.sign(X.mean(axis=0) @ vector))
    found: Matrix = np.unique(y)[(points @ np.stack(vectors).T).argmax(axis=1)]
    return found


def rda(X: Matrix, y: Matrix, _: Matrix, __: Matrix, points: Matrix) -> Matrix:
    """Friedman's, with both weights 0.5."""
    parts = [X[y == label].astype(np.float64) for label in np.unique(y)]
    scatters = [np.cov(part.T, bias=True) * len(part) for part in parts]
    pooled, scores = sum(scatters), []
    for part, scatter in zip(parts, scatters, strict=True):
        covariance = (scatter + pooled) / (len(part) + len(X))
        level = 0.5 * np.trace(covariance) / len(covariance)
        covariance = 0.5 * covariance + level * np.eye(len(covariance))
        factor = np.linalg.cholesky(covariance)
        white = solve_triangular(factor, (points - part.mean(axis=0)).T, lower=True)
        half = np.log(np.diag(factor)).sum() + (white**2).sum(axis=0) / 2
        scores.append(np.log(len(part) / len(X)) - half)
    found: Matrix = np.unique(y)[np.argmax(scores, axis=0)]
    return found


def shared_covariance(X: Matrix, y: Matrix) -> Matrix:
    """Return the mean of the classes' covariances, each shrunk by OAS."""
    found: Matrix = sum(
        np.mean(y == label) * OAS().fit(X[y == label].astype(np.float64)).covariance_
        for label in np.unique(y)
    )
    return found


def fisher(build: Callable[[], Any]) -> Plain:
    """Return the predictions of a classifier in the Fisher subspace."""

    def predicted(X: Matrix, y: Matrix, _: Matrix, __: Matrix, points: Matrix) -> Matrix:
        classes, mean = np.unique(y), X.mean(axis=0, dtype=np.float64)
        shift = np.stack([X[y == label].mean(axis=0) for label in classes]) - mean
        between = (shift.T * np.bincount(y)) @ shift / len(y)
        axes = eigh(between, shared_covariance(X, y))[1][:, : -len(classes) : -1]
        found: Matrix = build().fit((X - mean) @ axes, y).predict((points - mean) @ axes)
        return found

    return predicted


def trimmed(X: Matrix, y: Matrix, _: Matrix, __: Matrix, points: Matrix) -> Matrix:
    inverse, kept = np.linalg.inv(shared_covariance(X, y)), np.zeros(len(X), bool)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        shift = X[rows] - X[rows].mean(axis=0)
        nearest = np.argsort(((shift @ inverse) * shift).sum(axis=1), kind="stable")
        kept[rows[nearest[: int(np.ceil(0.7 * len(rows)))]]] = True
    found: Matrix = shrunk_lda().fit(X[kept].astype(np.float64), y[kept]).predict(points)
    return found


def relabelled(X: Matrix, y: Matrix, _: Matrix, __: Matrix, points: Matrix) -> Matrix:
    cleaned = shrunk_lda().fit(X.astype(np.float64), y).predict(X)
    found: Matrix = neighbors(50).fit(X, cleaned).predict(points)
    return found


def shrunk_lda(**options: Any) -> Any:
    return LinearDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS(), **options)


def neighbors(k: int) -> Any:
    return KNeighborsClassifier(k, metric="cosine", algorithm="brute")


def ridge(alpha: float) -> Any:
    return make_pipeline(StandardScaler(), RidgeClassifier(alpha))


class NearestMean(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped base
    """The class whose mean has the largest cosine with a point."""

    def fit(self, X: Matrix, y: Matrix) -> Self:
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == label].mean(axis=0) for label in self.classes_])
        return self

    def predict(self, X: Matrix) -> Matrix:
        found: Matrix = self.classes_[cosine_similarity(X, self.means_).argmax(axis=1)]
        return found


EQUAL_PRIORS = [0.1] * 10
ALPHAS = (1.0, 1e1, 1e2, 1e3, 1e4)
PLAIN: dict[str, Plain] = {
    "masc": masc(0.99),
    "masc-75": masc(0.75),
    "masc-tuned": tuned([masc(share) for share in (0.25, 0.5, 0.75, 0.9, 0.99)]),
    "velpic": velpic,
    "ncm": of(NearestMean),
    "ncm-euclidean": of(NearestCentroid),
    "lda": of(LinearDiscriminantAnalysis),
    "lda-shrunk": of(shrunk_lda),
    "mahalanobis": of(lambda: shrunk_lda(priors=EQUAL_PRIORS)),
    "qda-shrunk": of(
        lambda: QuadraticDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS())
    ),
    "rda-50": rda,
    "ridge": of(partial(ridge, 1.0)),
    "ridge-tuned": tuned([of(partial(ridge, alpha)) for alpha in ALPHAS]),
    "knn-5": of(partial(neighbors, 5)),
    "knn-50": of(partial(neighbors, 50)),
    "fisher-ncm": fisher(NearestMean),
    "fisher-knn-50": fisher(partial(neighbors, 50)),
    "lda-shrunk>knn-50": relabelled,
    "trimmed-lda": trimmed,
}
