"""What decoders share that score every class and choose the best."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

if TYPE_CHECKING:
    import numpy.typing as npt

    Matrix = npt.NDArray[np.float64]


class ArgmaxClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped base
    """A classifier that predicts the class with the highest score; ties go to the lowest class.

    A subclass finds its classes with `_start` in `fit`, and scores points in `_scores`.

    Attributes:
        classes_: The classes seen, ascending.
    """

    classes_: npt.NDArray[Any]

    def _start(self, X: Any, y: Any) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """Check X and y, set `classes_`, and return X as float64 and each point's class index."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        return X, index

    @abstractmethod
    def _scores(self, X: Matrix) -> Matrix:
        """Return the score of each point and class, N×K."""

    def _checked_scores(self, X: Any) -> Matrix:
        check_is_fitted(self)
        return self._scores(validate_data(self, X, reset=False, dtype=np.float64))

    def decision_function(self, X: Any) -> Matrix:
        """Return the score of each point and class, N×K; of two classes, the difference (N)."""
        scores = self._checked_scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the class with the highest score, for each row of X."""
        best = np.argmax(self._checked_scores(X), axis=1)
        labels: npt.NDArray[Any] = self.classes_[best]
        return labels
