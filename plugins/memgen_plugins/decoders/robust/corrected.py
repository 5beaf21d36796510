"""Logistic regression whose loss takes label noise into account."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch.nn import functional

from memgen_plugins.decoders.base.ranges import FRACTION, POSITIVE
from memgen_plugins.decoders.layer.linear import LogisticRegression
from memgen_plugins.noises import uniform_transition

_RAREST = 1e-6  # of a probability in T that has slack


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
        p, given = self._probabilities(scores, targets)
        slope = p * (1 - self._matrix.T[targets] / given)
        return -given.log().sum(dtype=torch.float64), slope

    def _probabilities(
        self, scores: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the probabilities of true labels, N×K, and that of each given label, N×1."""
        p = scores.softmax(dim=1)
        return p, (p * self._matrix.T[targets]).sum(dim=1, keepdim=True).clamp(min=1e-30)


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


class RevisedLogisticRegression(ForwardLogisticRegression):
    """Softmax regression with forward correction that revises T, the probabilities of given labels.

    It begins at the optimum of forward correction. From there the weights and log T are searched
    together: slack A, added to log T, costs ‖A‖²/2s², as if its elements were normal around 0, and
    the rows of T are scaled so that they add up to 1. So T follows the labels where they were not
    redrawn as it says. The loss is not convex: the search ends in the optimum that is downhill.

    Args:
        C: Weight of each point's loss; C·N decides how much weights are shrunk.
        rate: Shuffle rate ρ of uniform noise, where T is not given; None: no noise.
        slack: s, the standard deviation of slack.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64, for features as they come.
        intercept_: K, float64.
        transition_: The revised T, K×K, float64.

    Cost:
        Two searches: fit 4NDK FLOPs a step, predict 2MDK.

    References:
        T-revision: Xia, Liu, Wang, Han, Gong, Niu & Sugiyama 2019, arXiv 1906.00189, who weigh
        losses by importance, take a first T from the most confident predictions, and add slack to
        T itself at no cost, until noisy validation stops it.
    """

    _parameter_constraints: ClassVar = {
        "C": POSITIVE,
        "rate": [None, *FRACTION],
        "slack": POSITIVE,
    }

    def __init__(self, C: float = 1e-3, rate: float | None = None, slack: float = 0.5) -> None:
        super().__init__(C, rate)
        self.slack = slack

    def _search(self, Z: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        self._log: torch.Tensor | None = None
        self._begun = super()._search(Z, targets)
        self._prior = self._matrix.double().clamp(min=_RAREST).log()
        self._log = self._prior.clone().requires_grad_()
        weights = super()._search(Z, targets)
        self.transition_ = self._log.detach().softmax(dim=1).cpu().numpy()
        return weights

    def _beside(self) -> list[torch.Tensor]:
        return [] if self._log is None else [self._log]

    def _first(self, Z: torch.Tensor) -> torch.Tensor:
        return super()._first(Z) if self._log is None else self._begun

    def _loss(
        self, Z: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self._log is None:
            return super()._loss(Z, targets, weights)
        slack = self._log.detach() - self._prior
        transition = self._log.detach().softmax(dim=1)
        self._matrix, self._pull = transition.float(), torch.zeros_like(transition)
        loss, gradient = super()._loss(Z, targets, weights)
        price, pull = 1 / (self.slack**2 * len(Z)), transition * self._pull / len(Z)
        self._log.grad = pull - transition * pull.sum(dim=1, keepdim=True) + price * slack
        return loss + price * slack.square().sum() / 2, gradient

    def _block(  # type: ignore[override] # T is searched, too
        self, scores: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self._log is not None:
            p, given = self._probabilities(scores, targets)
            own = functional.one_hot(targets, len(self.classes_)).to(p)
            self._pull -= ((p / given).T @ own).double()
        return super()._block(scores, targets)
