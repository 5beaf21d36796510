"""Nearest class mean, by angle and by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from memgen_plugins.decoders.base.argmax import LinearScores, MomentClassifier

if TYPE_CHECKING:
    from memgen_bench.toolkit.decoders import Moments


class CosineCentroid(LinearScores, MomentClassifier):
    """Nearest class mean by cosine: argmax_k ⟨x, m_k⟩ / ‖m_k‖.

    A class whose mean is zero scores 0; ties go to the lowest class.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: The class means, scaled to length 1, K×D, float64.

    Cost:
        Fit ND FLOPs, predict 2MDK.

    References:
        Rocchio 1971; Mensink et al. 2013.
    """

    def _fit(self, moments: Moments) -> None:
        lengths = torch.linalg.vector_norm(moments.means, dim=1, keepdim=True)
        self._set(torch.where(lengths > 0, moments.means / lengths, 0.0))


class EuclideanCentroid(LinearScores, MomentClassifier):
    """Nearest class mean by distance: argmax_k ⟨x, m_k⟩ − ‖m_k‖² / 2.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: The class means, K×D, float64.
        intercept_: −‖m_k‖² / 2, K, float64.

    Cost:
        Fit ND FLOPs, predict 2MDK.

    References:
        Mensink et al. 2013.
    """

    def _fit(self, moments: Moments) -> None:
        self._set(moments.means, -moments.means.square().sum(dim=1) / 2)
