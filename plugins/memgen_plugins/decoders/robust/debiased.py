"""Class moments corrected for label noise, and decoders fitted on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from sklearn.base import clone

from memgen_bench.toolkit.decoders import Moments, eigh64, moments_of
from memgen_plugins.decoders.base.wrapped import Wrapped
from memgen_plugins.noises import uniform_transition

if TYPE_CHECKING:
    import numpy.typing as npt

# A transition matrix with a larger condition number is not inverted: the result would be noise.
_SINGULAR = 50.0
# The fewest points of a class, as a share of N / K.
_FEWEST = 0.25


class DebiasedMoments(Moments):
    """Class moments under true labels, estimated from those under noisy labels.

    With T[t, g] the probability of given label g for true label t, the sums over given classes of
    1, x and x xᵀ are on average Tᵀ times those over true classes, where activations do not depend
    on which labels were drawn. So they are multiplied by the inverse of Tᵀ. Where that leaves less
    than a quarter of N / K points of a class, its count is raised to that, and the sums over given
    classes are scaled to the counts that one would then expect; covariances become their nearest
    positive semidefinite matrix.

    Args:
        moments: Under given labels.
        transition: T, K×K, of the classes with points; where it is near singular the moments stay
            as they are.
    """

    def __init__(self, moments: Moments, transition: npt.NDArray[np.float64]) -> None:
        self._given, device = moments, moments.means.device
        counts = moments.counts.double()
        if np.linalg.cond(transition) > _SINGULAR:
            transition = np.eye(len(counts))
        forward = torch.from_numpy(transition.T.copy()).to(device)
        inverse, count = torch.linalg.inv(forward), float(counts.sum())
        found = (inverse @ counts).clamp(min=_FEWEST * count / len(counts))
        self.counts = found * (count / found.sum())
        self._scale = (forward @ self.counts) / counts
        self._inverse = inverse * self._scale
        self.classes = moments.classes
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
        """Return the scatter of all points, which no noise changes, minus that between classes."""
        between = (self.means.T * self.counts) @ self.means
        for k, scale in enumerate(self._scale):
            between -= scale * self._given.second(k)
        return _positive(-between)


def _positive(matrix: torch.Tensor) -> torch.Tensor:
    """Return the nearest positive semidefinite matrix."""
    values, vectors = eigh64((matrix + matrix.T) / 2)
    return (vectors * values.clamp(min=0)) @ vectors.T


class Debiased(Wrapped):
    """A decoder fitted on class moments that are corrected for label noise.

    Fitted with `transition` it is told the noise; without it the noise is taken to be uniform at
    `rate`, which may be chosen on noisy validation labels.

    In a memorized network the activations of training points do depend on the labels drawn, more
    so in later layers; this is not corrected for. Of an `mlp` on digits (973 points,
    uniform noise, ρ = 0.6), given labels explain none of the scatter within true classes while it
    is untrained, and 1, 7, 26 and 38 % of it in fc1, fc2, fc3 and the logits once it memorized.
    Debiasing takes the squared error of class means, as a share of the scatter between classes,
    from 0.41 to 0.17 on pixels and from 0.39 to 0.24 in fc1, but from 0.35 to 0.62 in fc2 and
    from 0.33 to 3.1 in fc3. At ρ = 0.8 so few points are left that it harms in every layer.

    Args:
        estimator: A decoder that can be fitted from moments.
        rate: Shuffle rate ρ of uniform noise, where T is not given; None: no noise.

    Attributes:
        classes_: The classes seen, ascending.
        estimator_: The fitted decoder.

    Cost:
        2K²D² + 9KD³ FLOPs beside the decoder's own.

    References:
        Unbiased statistics under label noise: Natarajan, Dhillon, Ravikumar & Tewari 2013; van
        Rooyen & Williamson 2018.
    """

    def __init__(self, estimator: Any, rate: float | None = None) -> None:
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
            transition = uniform_transition(self.rate or 0.0, len(moments.classes))
        transition = transition / transition.sum(axis=1, keepdims=True)
        debiased = DebiasedMoments(moments, transition)
        return self._take(clone(self.estimator).fit_moments(debiased))
