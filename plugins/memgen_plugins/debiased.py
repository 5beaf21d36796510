"""Class moments with the label noise taken out of them, and decoders fitted on those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from sklearn.base import clone

from memgen_bench.eigen import eigh64
from memgen_bench.moments import Moments, moments_of
from memgen_plugins.noises import uniform_transition
from memgen_plugins.wrapped import Wrapped

if TYPE_CHECKING:
    import numpy.typing as npt

# A transition matrix whose condition number is larger is not inverted: noise would be all it gave.
_SINGULAR = 50.0


class DebiasedMoments(Moments):
    """The moments that classes would have under their true labels, on average over label draws.

    With T[t, g] the probability of given label g for true label t, the sums over given classes of
    1, x and x xᵀ are on average Tᵀ times those over true classes, where activations do not depend
    on which labels were drawn. So they are multiplied by the inverse of Tᵀ; counts are kept at 1
    at the least, and covariances at their nearest positive semidefinite matrix.

    Args:
        moments: Under given labels.
        transition: T, K×K, of the classes with points; where it is near singular the moments stay
            as they are.
    """

    def __init__(self, moments: Moments, transition: npt.NDArray[np.float64]) -> None:
        self._given, device = moments, moments.means.device
        counts = moments.counts.double()
        singular = np.linalg.cond(transition) > _SINGULAR
        inverse = np.eye(len(counts)) if singular else np.linalg.inv(transition.T)
        self._inverse = torch.from_numpy(inverse).to(device)
        self.classes = moments.classes
        self.counts = (self._inverse @ counts).clamp(min=1)
        self.means = (self._inverse @ (counts[:, None] * moments.means)) / self.counts[:, None]
        super().__init__(moments.seconds, moments.scratch)

    def covariance(self, k: int) -> torch.Tensor:
        """Return the covariance of the k-th class about its mean, positive semidefinite, D×D."""
        second = torch.zeros_like(self._given.second(0))
        for given, weight in enumerate(self._inverse[k]):
            second += weight * self._given.second(given)
        return _positive(second / self.counts[k] - torch.outer(self.means[k], self.means[k]))

    def second(self, k: int) -> torch.Tensor:
        """Return Σ x xᵀ over the points of the k-th class, D×D."""
        outer = torch.outer(self.means[k], self.means[k])
        return self.counts[k] * (self.covariance(k) + outer)

    def _within(self) -> torch.Tensor:
        """Return the scatter of all points, which no noise changes, less that between classes."""
        between = (self.means.T * self.counts) @ self.means
        for k in range(len(self.classes)):
            between -= self._given.second(k)
        return _positive(-between)


def _positive(matrix: torch.Tensor) -> torch.Tensor:
    """Return the nearest positive semidefinite matrix."""
    values, vectors = eigh64((matrix + matrix.T) / 2)
    return (vectors * values.clamp(min=0)) @ vectors.T


class Debiased(Wrapped):
    """A decoder fitted on class moments from which label noise was taken out.

    Fitted with `transition` it is told the noise; without it the noise is taken to be uniform at
    `rate`, which may be chosen on noisy validation labels. A memorized network's activations of
    its training points do depend on the labels drawn, which this takes no account of.

    Args:
        estimator: A decoder that can be fitted from moments.
        rate: Shuffle rate ρ; a label is redrawn with this probability.

    Attributes:
        classes_: The classes seen, ascending.
        estimator_: The fitted decoder.

    Cost:
        2K²D² + 9KD³ FLOPs beside the decoder's own.

    References:
        Unbiased statistics under label noise: Natarajan, Dhillon, Ravikumar & Tewari 2013; van
        Rooyen & Williamson 2018.
    """

    def __init__(self, estimator: Any, rate: float = 0.0) -> None:
        self.estimator = estimator
        self.rate = rate

    def fit(self, X: Any, y: Any, transition: Any = None) -> Self:
        """Fit on activations X (N×D) and labels y (N); `transition` is P[true, given]."""
        points, classes, index = self._start(X, y)
        moments = moments_of(points, index)
        if transition is not None:
            transition = transition[np.ix_(classes, classes)]
        self._fit(moments, transition)
        self.classes_ = self.estimator_.classes_ = classes
        return self

    def fit_moments(self, moments: Moments, transition: Any = None) -> Self:
        """Fit on the moments of each class."""
        if transition is not None:
            transition = transition[np.ix_(moments.classes, moments.classes)]
        return self._fit(moments, transition)

    def _fit(self, moments: Moments, transition: Any) -> Self:
        if transition is None:
            transition = uniform_transition(self.rate, len(moments.classes))
        transition = transition / transition.sum(axis=1, keepdims=True)
        debiased = DebiasedMoments(moments, transition)
        return self._take(clone(self.estimator).fit_moments(debiased))
