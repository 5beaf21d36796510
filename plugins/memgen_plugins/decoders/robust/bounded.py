"""Logistic regression on a loss that no single label can make large."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch

from memgen_plugins.decoders.base.ranges import ABOVE_ZERO, POSITIVE, SWITCH
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
