"""Decoding in the Fisher subspace: the few directions in which the classes' means differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, validate_data

from memgen_bench.toolkit.decoders import Moments, as_tensor, moments_of
from memgen_plugins.decoders.base.wrapped import Wrapped
from memgen_plugins.decoders.layer.gaussian import tied

if TYPE_CHECKING:
    import numpy.typing as npt


class FisherSubspace(Wrapped):
    """Project points on the discriminant axes, at most K − 1 of them, and decode there.

    The axes are the leading generalised eigenvectors of the scatter between classes against the
    mean of the classes' covariances, each shrunk by OAS; the points within classes then have unit
    variance along each of them. Points are centred on the mean of all. (Decoding there by the
    nearest mean's *distance* is linear discriminant analysis with equal priors, `Mahalanobis`.)
    With two classes there is a single axis, on which a cosine says only on which side of the mean
    a point lies: neighbours by cosine are then arbitrary.

    Args:
        estimator: The decoder to fit in the subspace.

    Attributes:
        classes_: The classes seen, ascending.
        mean_: Mean of all points, D, float64.
        axes_: D×min(K − 1, D), float64.
        estimator_: The fitted decoder.

    Cost:
        Fit 2ND² + 9D³ FLOPs beside the decoder's own, predict 2MDK beside it.

    References:
        Fisher 1936; Belhumeur, Hespanha & Kriegman 1997. The covariance within classes is that of
        scikit-learn's `LinearDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS())`,
        which takes as scatter between classes the covariance of all points, shrunk too, minus
        that within classes, and so finds other axes.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on activations X (N×D) and labels y (N)."""
        points, classes, index = self._start(X, y)
        self._find(moments_of(points, index))
        place = torch.from_numpy(index).to(points.device)
        self.estimator_ = clone(self.estimator).fit(self._project(points), place)
        self.classes_ = self.estimator_.classes_ = classes
        self.n_features_in_ = points.shape[1]
        return self

    def _points(self, X: Any) -> torch.Tensor:
        if isinstance(X, torch.Tensor):
            return X
        return as_tensor(validate_data(self, X, reset=False, dtype=[np.float64, np.float32]))

    def _find(self, moments: Moments) -> None:
        """Set mean and axes."""
        found = tied(moments)
        weights = (moments.counts / moments.counts.sum()).sqrt()
        white = (found.means * weights[:, None]) @ found.whitening
        vectors, _, _ = torch.linalg.svd(white.T, full_matrices=False)
        used = max(min(len(moments.means) - 1, moments.dim), 1)
        axes = found.back(found.whitening @ vectors[:, :used])
        self.mean_, self.axes_ = found.mean.cpu().numpy(), axes.cpu().numpy()

    def _project(self, X: torch.Tensor) -> torch.Tensor:
        axes, mean = (as_tensor(array).to(X.device) for array in (self.axes_, self.mean_))
        return ((X.double() @ axes) - mean @ axes).float()

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the class of each row of X."""
        check_is_fitted(self, "estimator_")
        labels: npt.NDArray[Any] = self.estimator_.predict(self._project(self._points(X)))
        return labels

    def decision_function(self, X: Any) -> npt.NDArray[Any]:
        """Return the score of each point and class, N×K; of two classes, the difference (N)."""
        check_is_fitted(self, "estimator_")
        projected = self._project(self._points(X))
        scores: npt.NDArray[Any] = self.estimator_.decision_function(projected)
        return scores
