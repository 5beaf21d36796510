"""Nearest neighbours by cosine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import normalize
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from memgen_bench import DecoderSpec, hookimpl

if TYPE_CHECKING:
    import numpy.typing as npt

_BLOCK = 1024  # test points whose similarities are held at once


class CosineNeighbors(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped base
    """Majority label among the training points with the largest cosine similarity; exact.

    Where there are fewer points than neighbours all of them vote. Ties between labels go to the
    lowest class; a zero vector is equally similar to all points.

    Args:
        n_neighbors: How many vote.

    Attributes:
        classes_: The classes seen, ascending.

    Cost:
        Fit none, predict 2MND.

    References:
        Cover & Hart 1967; Papernot & McDaniel 2018, arXiv 1803.04765.
    """

    def __init__(self, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def fit(self, X: Any, y: Any) -> Self:
        """Remember activations X (N×D) and labels y (N)."""
        if self.n_neighbors < 1:
            raise ValueError(f"n_neighbors={self.n_neighbors} must be at least 1")
        X, y = validate_data(self, X, y, dtype=[np.float32, np.float64])
        check_classification_targets(y)
        self.classes_, self._index = np.unique(y, return_inverse=True)
        self._directions = normalize(X)
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the majority label of the neighbours, for each row of X."""
        check_is_fitted(self)
        X = normalize(validate_data(self, X, reset=False, dtype=self._directions.dtype))
        blocks = [self._vote(X[start : start + _BLOCK]) for start in range(0, len(X), _BLOCK)]
        labels: npt.NDArray[Any] = self.classes_[np.concatenate(blocks)]
        return labels

    def _vote(self, X: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        similarity = X @ self._directions.T
        k = min(self.n_neighbors, similarity.shape[1])
        nearest = np.argpartition(similarity, -k, axis=1)[:, -k:]
        rows = np.arange(len(X))[:, None] * len(self.classes_)
        votes = np.bincount(
            (rows + self._index[nearest]).ravel(), minlength=len(X) * len(self.classes_)
        )
        best: npt.NDArray[np.int64] = votes.reshape(len(X), -1).argmax(axis=1)
        return best


@hookimpl
def register_decoders() -> list[DecoderSpec]:
    """Offer 5 and 50 neighbours."""
    return [
        DecoderSpec(
            name=f"knn-{k}",
            summary=f"majority of the {k} nearest neighbours by cosine",
            citation="Cover & Hart 1967",
            build=partial(CosineNeighbors, n_neighbors=k),
        )
        for k in (5, 50)
    ]
