"""Base class of decoders that contain another decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from memgen_bench.toolkit.decoders import as_tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_plugins.decoders.base.ranges import Range


def from_moments(wrapper: Any) -> bool:
    """Tell whether the decoder inside can be fitted from class moments."""
    return hasattr(wrapper.estimator, "fit_moments")


class Wrapped(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A decoder that predicts with another, fitted decoder inside it.

    Attributes:
        estimator: The decoder as it was given; a subclass fits a clone of it.
        estimator_: The fitted decoder.
        classes_: The classes seen, ascending.
    """

    _parameter_constraints: ClassVar[dict[str, Range]] = {}
    estimator: Any

    def _start(
        self, X: Any, y: Any
    ) -> tuple[torch.Tensor, npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Check parameters, X and y; return X as a tensor, the classes, and each point's index.

        Raises:
            ValueError: A parameter is out of its range, or an array is unusable.
        """
        self._validate_params()
        if isinstance(X, torch.Tensor):
            y = y.cpu().numpy()
        else:
            X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
            check_classification_targets(y)
        classes, index = np.unique(y, return_inverse=True)
        return as_tensor(X), classes, index

    def _take(self, fitted: Any) -> Self:
        """Keep a fitted decoder, and copy its fitted attributes."""
        self.estimator_ = fitted
        for name in ("classes_", "n_features_in_", "feature_names_in_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the class of each row of X."""
        check_is_fitted(self, "estimator_")
        labels: npt.NDArray[Any] = self.estimator_.predict(X)
        return labels

    @available_if(lambda self: hasattr(self.estimator, "decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> npt.NDArray[Any]:
        """Return the score of each point and class, N×K; of two classes, the difference (N)."""
        check_is_fitted(self, "estimator_")
        scores: npt.NDArray[Any] = self.estimator_.decision_function(X)
        return scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if hasattr(self.estimator, "__sklearn_tags__"):
            inner = self.estimator.__sklearn_tags__().classifier_tags
            tags.classifier_tags.poor_score = inner.poor_score
        return tags
