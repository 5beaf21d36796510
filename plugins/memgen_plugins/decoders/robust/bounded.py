"""Logistic regression on losses that do not make it fit every label."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch

from memgen_plugins.decoders.base.ranges import ABOVE_ZERO, NOT_NEGATIVE, POSITIVE, SWITCH
from memgen_plugins.decoders.layer.linear import LogisticRegression


class GeneralizedLogisticRegression(LogisticRegression):
    """Softmax regression on the generalised cross entropy, C Σ (1 − p_y^q)/q + ‖W‖²/2.

    The loss lies between the mean absolute error (q = 1), which bears symmetric noise, and the
    cross entropy (q → 0), which fits best. A point whose given label is improbable pulls with the
    weight p_y^q only. The loss is not convex: the search begins where all classes are as likely,
    W = 0, and ends in the optimum that is downhill from there.

    Args:
        C: Weight of each point's loss; C·N decides how much weights are shrunk.
        q: Exponent in (0, 1]; 0.7 is the paper's.
        warm_start: Begin the next search where the last one ended.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64, for features before standardisation.
        intercept_: K, float64.

    Cost:
        Fit 4NDK FLOPs a step, predict 2MDK.

    References:
        Zhang & Sabuncu 2018, arXiv 1805.07836, without pruning (their truncated loss).
    """

    _parameter_constraints: ClassVar = {"C": POSITIVE, "q": ABOVE_ZERO, "warm_start": SWITCH}

    def __init__(self, C: float = 1e-2, q: float = 0.7, warm_start: bool = False) -> None:
        super().__init__(C, warm_start)
        self.q = q

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on activations X (N×D) and labels y (N).

        Raises:
            ValueError: C is not positive, q not in (0, 1], or an array is unusable.
        """
        return super().fit(X, y)

    def _block(  # type: ignore[override] # q is one more input
        self, scores: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        points = torch.arange(len(targets), device=targets.device)
        slope = scores.softmax(dim=1)
        pull = slope[points, targets] ** self.q
        loss = ((1 - pull) / self.q).sum(dtype=torch.float64)
        slope[points, targets] -= 1
        return loss, slope * pull[:, None]


class ConfidentLogisticRegression(LogisticRegression):
    """Softmax regression on −log p_y + β Σ_k π_k log p_k, which rewards confident predictions.

    π_k is the share of the given label k. The second term takes off the loss what labels that say
    nothing add to it: under uniform noise of rate ρ = β and with balanced classes, all of that, so
    that the mean is (1 − ρ) times the one on true labels, as by backward correction. In the scores
    z the loss of a point is (1 − β)·log Σ_k exp z_k − z_y + β Σ_k π_k z_k. With β = 0 it is the
    cross entropy; with β = 1 it is linear, and vectors are proportional to the mean of their class
    times its count. With β > 1 it is concave: only the penalty bounds it, on intercepts, too, and
    the search, which begins at W = 0, ends in the optimum that is downhill from there.

    Args:
        C: Weight of each point's loss; C·N decides how much weights are shrunk.
        beta: Weight of the regulariser.
        warm_start: Begin the next search where the last one ended.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64, for features before standardisation.
        intercept_: K, float64.

    Cost:
        Fit 4NDK FLOPs a step, predict 2MDK.

    References:
        CORES²: Cheng, Zhu, Li, Gong, Sun & Liu 2021, arXiv 2010.02347, without its sieve; there β
        grows during the training. Peer loss, Liu & Guo 2020, arXiv 1910.03231, has the same
        expectation with drawn labels.
    """

    _parameter_constraints: ClassVar = {"C": POSITIVE, "beta": NOT_NEGATIVE, "warm_start": SWITCH}
    _penalises_intercept = True

    def __init__(self, C: float = 1e-3, beta: float = 1.0, warm_start: bool = False) -> None:
        super().__init__(C, warm_start)
        self.beta = beta

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on activations X (N×D) and labels y (N).

        Raises:
            ValueError: C is not positive, beta is negative, or an array is unusable.
        """
        return super().fit(X, y)

    def _search(self, Z: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        self._shares = targets.bincount(minlength=len(self.classes_)).float() / len(targets)
        return super()._search(Z, targets)

    def _block(  # type: ignore[override] # shares are one more input
        self, scores: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        points = torch.arange(len(targets), device=targets.device)
        loss = (1 - self.beta) * scores.logsumexp(dim=1) - scores[points, targets]
        loss += self.beta * (scores @ self._shares)
        slope = (1 - self.beta) * scores.softmax(dim=1) + self.beta * self._shares
        slope[points, targets] -= 1
        return loss.sum(dtype=torch.float64), slope
