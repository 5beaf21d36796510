"""Logistic regression whose loss takes label noise into account."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch

from memgen_plugins.decoders.base.ranges import FRACTION, POSITIVE
from memgen_plugins.decoders.layer.linear import LogisticRegression
from memgen_plugins.noises import uniform_transition


class _Corrected(LogisticRegression):
    """Softmax regression with T[t, g], the probability of given label g for true label t.

    The intercept is penalised as a weight.

    Args:
        C: Weight of each point's loss; C·N decides how much weights are shrunk.
        rate: Shuffle rate ρ of uniform noise, where T is not given; None: no noise.
    """

    _parameter_constraints: ClassVar = {"C": POSITIVE, "rate": [None, *FRACTION]}

    def __init__(self, C: float = 1e-3, rate: float | None = None) -> None:
        self.C = C
        self.rate = rate

    warm_start = False
    # A free intercept has no bound where a class is left with a negative count after correction.
    _penalises_intercept = True

    def fit(self, X: Any, y: Any, transition: Any = None) -> Self:
        """Fit on activations X (N×D) and labels y (N); `transition` is P[true, given]."""
        self._told = transition
        return super().fit(X, y)

    def _search(self, Z: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self._told is None:
            transition = uniform_transition(self.rate or 0.0, len(self.classes_))
        else:
            transition = self._told[np.ix_(self.classes_, self.classes_)]
            transition = transition / transition.sum(axis=1, keepdims=True)
        self._matrix = torch.from_numpy(self._prepared(transition)).float().to(Z.device)
        return super()._search(Z, targets)

    def _prepared(self, transition: Any) -> Any:
        """Return the matrix that `_block` uses."""
        return transition


class ForwardLogisticRegression(_Corrected):
    """Softmax regression that predicts given labels through the noise: −log Σ_t p_t T[t, y].

    Args:
        C: Weight of each point's loss; C·N decides how much weights are shrunk.
        rate: Shuffle rate ρ of uniform noise, where T is not given; None: no noise.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64, for features as they come.
        intercept_: K, float64.

    Cost:
        Fit 4NDK FLOPs a step, predict 2MDK.

    References:
        Patrini, Rozza, Menon, Nock & Qu 2017, arXiv 1609.03683.
    """

    def _block(  # type: ignore[override] # T is one more input
        self, scores: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        p = scores.softmax(dim=1)
        through = self._matrix.T[targets]
        given = (p * through).sum(dim=1, keepdim=True).clamp(min=1e-30)
        return -given.log().sum(dtype=torch.float64), p * (1 - through / given)


class BackwardLogisticRegression(_Corrected):
    """Softmax regression on a loss that noise does not bias: Σ_t T⁻¹[y, t]·(−log p_t).

    The rows of T⁻¹ add up to 1, so that the loss of a point, log Σ_t exp z_t − Σ_t T⁻¹[y, t]·z_t,
    is convex in the scores z; only the penalty bounds it from below.

    Args:
        C: Weight of each point's loss; C·N decides how much weights are shrunk.
        rate: Shuffle rate ρ < 1 of uniform noise, where T is not given; None: no noise.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64, for features as they come.
        intercept_: K, float64.

    Cost:
        Fit 4NDK FLOPs a step, predict 2MDK.

    References:
        Patrini, Rozza, Menon, Nock & Qu 2017, arXiv 1609.03683; Natarajan et al. 2013.
    """

    def _prepared(self, transition: Any) -> Any:
        return np.linalg.pinv(transition)

    def _block(  # type: ignore[override] # T is one more input
        self, scores: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        weights = self._matrix[targets]
        loss = torch.logsumexp(scores, dim=1) - (weights * scores).sum(dim=1)
        return loss.sum(dtype=torch.float64), scores.softmax(dim=1) - weights
