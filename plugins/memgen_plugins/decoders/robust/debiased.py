"""Class moments corrected for label noise, and decoders fitted on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import clone

from memgen_bench.toolkit.decoders import Moments, eigh64, moments_of
from memgen_plugins.decoders.base.ranges import BELOW_ONE, SWITCH
from memgen_plugins.decoders.base.wrapped import Wrapped
from memgen_plugins.decoders.layer.gaussian import shrunk_by_oas
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
    on which labels were drawn. So they are multiplied by the inverse of Tᵀ. Under uniform noise
    that makes their sampling noise 1 / (1 − ρ)² times as large.

    Of what is so added to the counts' deviation from equal ones, James and Stein's estimator
    removes what is expected. Where that leaves less than a quarter of N / K points of a class, its
    count is raised to that. The sums over given classes are scaled to the counts that one would
    then expect; covariances become their nearest positive semidefinite matrix.

    Shrunk means are drawn towards the mean of all points, likewise: means m_k = m + a_k become
    m + s·a_k, where 1 − s is the share of Σ_k n_k·aₖᵀ C⁻¹ aₖ that the added noise makes up, with C
    the covariance within given classes. The remaining (1 − s²)·a_k aₖᵀ stays in the covariances.
    Otherwise a whitening decoder takes the noise of the means, in hundreds of directions, for
    directions in which classes do not vary.

    Args:
        moments: Under given labels.
        transition: T, K×K, of the classes with points; where it is near singular the moments stay
            as they are.
        shrunk: Whether means are shrunk.

    References:
        James & Stein 1961; Efron & Morris 1973.
    """

    def __init__(
        self, moments: Moments, transition: npt.NDArray[np.float64], *, shrunk: bool = False
    ) -> None:
        self._given, device = moments, moments.means.device
        counts = moments.counts.double()
        if np.linalg.cond(transition) > _SINGULAR:
            transition = np.eye(len(counts))
        forward = torch.from_numpy(transition.T.copy()).to(device)
        inverse = torch.linalg.inv(forward)
        self.counts = _true_counts(counts, inverse)
        self._scale = (forward @ self.counts) / counts
        self._inverse = inverse * self._scale
        self.classes = moments.classes
        weights = self._inverse * counts / self.counts[:, None]  # of given means in true ones
        self._unbiased = weights @ moments.means
        centre = self.counts @ self._unbiased / counts.sum()
        self._apart = self._unbiased - centre
        self._signal = self._signal_of_means(weights) if shrunk else 1.0
        self.means = centre + self._signal * self._apart
        super().__init__(moments.seconds, moments.scratch)

    def _signal_of_means(self, weights: torch.Tensor) -> float:
        """Return s; `weights` are those of given means in true ones, K×K."""
        given, count = self._given, float(self.counts.sum())
        within = given.within() / count
        factor, info = torch.linalg.cholesky_ex(shrunk_by_oas(within, int(count)))
        if int(info):
            return 1.0  # nothing varies
        shares = self.counts / count
        size = shares @ (self._apart * torch.cholesky_solve(self._apart.T, factor).T).sum(dim=1)
        noise = shares @ ((weights - shares @ weights).square() / given.counts).sum(dim=1)
        dims = float(torch.cholesky_solve(within, factor).trace())
        freedom = len(shares) - 1
        return _signal(float(size), float(noise - freedom / count) * dims, freedom * dims)

    def covariance(self, k: int) -> torch.Tensor:
        """Return the covariance of the k-th class, positive semidefinite, D×D."""
        second = torch.zeros_like(self._given.second(0))
        for given, weight in enumerate(self._inverse[k]):
            second += weight * self._given.second(given)
        mean, apart = self._unbiased[k], self._apart[k]
        noise = (1 - self._signal**2) * torch.outer(apart, apart)
        return _positive(second / self.counts[k] - torch.outer(mean, mean) + noise)

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


def _true_counts(given: torch.Tensor, inverse: torch.Tensor) -> torch.Tensor:
    """Return the counts of true classes (K), from given ones and the inverse of Tᵀ."""
    count, classes = float(given.sum()), len(given)
    shares = inverse @ (given / count)
    spread = torch.diag(given / count) - torch.outer(given, given) / count**2
    added = (inverse @ spread @ inverse.T).trace() - (1 - shares.square().sum())
    apart = shares - 1 / classes
    signal = _signal(float(apart.square().sum()), float(added) / count, classes - 1)
    found = (1 / classes + signal * apart).clamp(min=_FEWEST / classes)
    return found * (count / found.sum())


def _signal(size: float, noise: float, freedom: float) -> float:
    """Return the share of a deviation to keep, by James and Stein's estimator.

    Args:
        size: Its sum of squares.
        noise: The sum of squares that noise alone would have on average.
        freedom: The degrees of freedom of that sum.
    """
    noise *= max(freedom - 2, 0) / max(freedom, 1)
    return min(max(1 - noise / size, 0.0), 1.0) if size > 0 else 1.0


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
    Debiasing without shrinking took the squared error of class means, as a share of the scatter
    between classes, from 0.41 to 0.17 on pixels and from 0.39 to 0.24 in fc1, but from 0.35 to
    0.62 in fc2 and from 0.33 to 3.1 in fc3; at ρ = 0.8 it harmed in every layer.

    With means shrunk, LDA that is told the noise is as good as LDA that is not, where points are
    few for their width, and not better: the directions in which its means differ are the same, and
    the noise of the labels is in them. The covariances of single classes stay noisy: quadratic
    decoders lose by debiasing at ρ = 0.8.

    Args:
        estimator: A decoder that can be fitted from moments.
        rate: Shuffle rate ρ of uniform noise, where T is not given; None: no noise.
        shrunk: Whether class means are shrunk, which a decoder needs that whitens points; where
            points are compared as they are, means are hardly noisy.

    Attributes:
        classes_: The classes seen, ascending.
        estimator_: The fitted decoder.

    Cost:
        2K²D² + 9KD³ FLOPs beside the decoder's own.

    References:
        Unbiased statistics under label noise: Natarajan, Dhillon, Ravikumar & Tewari 2013; van
        Rooyen & Williamson 2018.
    """

    _parameter_constraints: ClassVar = {"rate": [None, *BELOW_ONE], "shrunk": SWITCH}

    def __init__(self, estimator: Any, rate: float | None = None, shrunk: bool = True) -> None:
        self.estimator = estimator
        self.rate = rate
        self.shrunk = shrunk

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
        debiased = DebiasedMoments(moments, transition, shrunk=self.shrunk)
        return self._take(clone(self.estimator).fit_moments(debiased))
