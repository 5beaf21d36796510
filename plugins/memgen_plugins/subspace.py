"""Subspace decoders: MASC, which is CLAFIC applied to memorized layers, and VeLPIC."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from memgen_bench import DecoderSpec, hookimpl
from memgen_plugins.argmax import ArgmaxClassifier

if TYPE_CHECKING:
    from memgen_plugins.argmax import Matrix

_MASC = (
    "Ketha & Ramaswamy 2025, arXiv 2501.14687; the same decision as CLAFIC: Watanabe, Lambert, "
    "Kulikowski, Buxton & Walker 1967"
)


def _principal_axes(X: Matrix) -> tuple[Matrix, Matrix]:
    """Eigenvalues (descending) and eigenvectors (columns) of the uncentred second moment."""
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]


class MASC(ArgmaxClassifier):
    """Minimum angle subspace classifier.

    Each class k is represented by the leading eigenvectors U_k of its *uncentred* second moment
    X_kᵀ X_k / n_k, as many as it takes for their cumulative eigenvalue share to exceed `variance`:
    p_k = #{cumulative share ≤ variance} + 1. A point goes to the class whose subspace makes the
    smallest angle with it, arccos(‖U_kᵀ x‖ / ‖x‖), that is to argmax_k ‖U_kᵀ x‖.

    Defined corner cases: ties, a zero vector among them, go to the lowest class; a class without
    points is never predicted; a class of zero vectors has the empty subspace; with fewer points
    than dimensions p_k is at most the number of points. Where subspaces of several classes span
    the whole space, rounding decides.

    Args:
        variance: Share of the second moment to keep, 0 < variance < 1.

    Attributes:
        classes_: The classes seen, ascending.
        n_components_: p_k of each class.
        subspaces_: U_k of each class, D×p_k, float64.

    Cost:
        Fit 2ND² + 9KD³ FLOPs, predict 2MD·Σp_k.

    References:
        Ketha & Ramaswamy, arXiv 2501.14687. The decision rule is that of CLAFIC (Watanabe et al.
        1967; Oja, Subspace Methods of Pattern Recognition, 1983).
    """

    def __init__(self, variance: float = 0.99) -> None:
        self.variance = variance

    def fit(self, X: Any, y: Any) -> Self:
        """Find the subspace of each class.

        Args:
            X: Activations, N×D.
            y: Labels, N.

        Raises:
            ValueError: `variance` is not between 0 and 1, or an array is unusable.
        """
        if not 0 < self.variance < 1:
            raise ValueError(f"variance={self.variance} must lie between 0 and 1, exclusive")
        X, index = self._start(X, y)
        self.subspaces_ = [self._subspace(X[index == k]) for k in range(len(self.classes_))]
        self.n_components_ = np.array([basis.shape[1] for basis in self.subspaces_])
        return self

    def _subspace(self, X: Matrix) -> Matrix:
        values, vectors = _principal_axes(X)
        total = values.sum()
        if total == 0:
            return vectors[:, :0]
        return vectors[:, : int(np.sum(np.cumsum(values) / total <= self.variance)) + 1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # subspaces through the origin cannot part blobs
        return tags

    def _scores(self, X: Matrix) -> Matrix:
        projected = [np.square(X @ basis).sum(axis=1) for basis in self.subspaces_]
        return np.stack(projected, axis=1)


class VeLPIC(ArgmaxClassifier):
    """One vector per class: the first eigenvector v_k of its uncentred second moment.

    Its sign is chosen so that the mean projection of *all* training points is not negative; a
    point goes to argmax_k ⟨x, v_k⟩, ties to the lowest class. On non-negative activations this is
    MASC with one component per class. A class of zero vectors has v_k = 0.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: v_k as rows, K×D, float64.

    Cost:
        Fit 2ND² + 9KD³ FLOPs, predict 2MDK.

    References:
        Ketha & Ramaswamy 2026, arXiv 2603.19865; the class vectors are those of FINE (Kim et al.,
        NeurIPS 2021).
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Find the vector of each class from activations X (N×D) and labels y (N)."""
        X, index = self._start(X, y)
        mean = X.mean(axis=0)
        self.coef_ = np.stack(
            [self._vector(X[index == k], mean) for k in range(len(self.classes_))]
        )
        return self

    @staticmethod
    def _vector(X: Matrix, mean: Matrix) -> Matrix:
        values, vectors = _principal_axes(X)
        if values[0] == 0:
            return np.zeros(X.shape[1])
        vector = vectors[:, 0]
        return -vector if vector @ mean < 0 else vector

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # a vector's length decides too: blobs overlap
        return tags

    def _scores(self, X: Matrix) -> Matrix:
        scores: Matrix = X @ self.coef_.T
        return scores


@hookimpl
def register_decoders() -> list[DecoderSpec]:
    """Offer MASC at two variances, and VeLPIC."""
    return [
        DecoderSpec(
            name="masc",
            summary="minimum angle subspace classifier, 99 % of the variance (the paper's)",
            citation=_MASC,
            build=MASC,
        ),
        DecoderSpec(
            name="masc-75",
            summary="minimum angle subspace classifier, 75 % of the variance",
            citation=_MASC,
            build=partial(MASC, variance=0.75),
        ),
        DecoderSpec(
            name="velpic",
            summary="first principal vector of each class",
            citation="Ketha & Ramaswamy 2026, arXiv 2603.19865",
            build=VeLPIC,
        ),
    ]
