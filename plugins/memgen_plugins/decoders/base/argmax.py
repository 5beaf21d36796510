"""Base classes of decoders that score every class and predict the best."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from memgen_bench.toolkit.decoders import Moments, as_tensor, blocks, moments_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from memgen_plugins.decoders.base.ranges import Range


class ArgmaxClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped base
    """A classifier that predicts the class with the highest score; ties go to the lowest class.

    It takes arrays or torch tensors, and scores points where they lie (CPU or GPU), in their own
    precision, in blocks whose size depends on their width alone. A subclass calls `_start` in
    `fit`, and scores points in `_scores`.

    Attributes:
        classes_: The classes seen, ascending.
    """

    _parameter_constraints: ClassVar[dict[str, Range]] = {}
    classes_: npt.NDArray[Any]

    def _start(self, X: Any, y: Any) -> tuple[torch.Tensor, npt.NDArray[np.int64]]:
        """Check parameters, X and y; return X as a tensor and each point's class index.

        Raises:
            ValueError: A parameter is out of its range, or an array is unusable.
        """
        self._validate_params()
        if isinstance(X, torch.Tensor):
            self.n_features_in_ = X.shape[1]
            y = y.cpu().numpy()
        else:
            X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
            check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        return as_tensor(X), index

    @abstractmethod
    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        """Return the score of each point and class, N×K."""

    def _parts(self, X: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the scores of one block of points after another."""
        yield from map(self._scores, blocks(X))

    def _sound(self, X: Any) -> Iterator[torch.Tensor]:
        """Yield the scores of checked points; a factorisation that failed shows in them.

        Raises:
            FloatingPointError: A score is NaN: its argmax would pass for a prediction.
        """
        for scores in self._parts(self._checked(X)):
            if bool(torch.isnan(scores).any()):
                raise FloatingPointError(f"{type(self).__name__} scored some points with NaN")
            yield scores

    def _checked(self, X: Any) -> torch.Tensor:
        check_is_fitted(self)
        if isinstance(X, torch.Tensor):
            return X
        return as_tensor(validate_data(self, X, reset=False, dtype=[np.float64, np.float32]))

    def decision_function(self, X: Any) -> npt.NDArray[Any]:
        """Return the score of each point and class, N×K; of two classes, the difference (N)."""
        parts = [scores.cpu().numpy() for scores in self._sound(X)]
        scores: npt.NDArray[Any] = np.concatenate(parts)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the class with the highest score, for each row of X."""
        parts = [scores.argmax(dim=1) for scores in self._sound(X)]
        labels: npt.NDArray[Any] = self.classes_[torch.cat(parts).cpu().numpy()]
        return labels


class MomentClassifier(ArgmaxClassifier):
    """An `ArgmaxClassifier` fitted from class moments alone; subclasses implement `_fit`."""

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on activations X (N×D) and labels y (N)."""
        X, index = self._start(X, y)
        classes = self.classes_
        self.fit_moments(moments_of(X, index))
        self.classes_ = classes
        return self

    def fit_moments(self, moments: Moments) -> Self:
        """Fit on the moments of each class."""
        self._validate_params()
        self.classes_, self.n_features_in_ = moments.classes, moments.dim
        self._fit(moments)
        return self

    @abstractmethod
    def _fit(self, moments: Moments) -> None:
        """Set the attributes that `_scores` reads."""


class LinearScores(ArgmaxClassifier):
    """Scores ⟨x, w_k⟩ + b_k, in float64: the terms may be far larger than their sum.

    Attributes:
        coef_: w_k as rows, K×D, float64.
        intercept_: b_k, K, float64.
    """

    coef_: npt.NDArray[np.float64]
    intercept_: npt.NDArray[np.float64]

    def _set(self, coef: torch.Tensor, intercept: torch.Tensor | None = None) -> None:
        self.coef_ = coef.cpu().numpy()
        self.intercept_ = np.zeros(len(coef)) if intercept is None else intercept.cpu().numpy()

    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        coef, intercept = (as_tensor(a).to(X.device) for a in (self.coef_, self.intercept_))
        return torch.addmm(intercept, X.double(), coef.T)


def not_zero(scale: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Return standard deviations, with 1 in place of those that are only rounding error."""
    rounding = 10 * torch.finfo(torch.float32).eps
    return torch.where(scale > rounding * mean.abs(), scale, 1.0)
