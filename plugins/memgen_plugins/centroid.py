"""Nearest class mean, by angle and by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from memgen_bench import DecoderSpec, hookimpl
from memgen_plugins.argmax import ArgmaxClassifier

if TYPE_CHECKING:
    from memgen_plugins.argmax import Matrix


class CosineCentroid(ArgmaxClassifier):
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

    def fit(self, X: Any, y: Any) -> Self:
        """Average each class over activations X (N×D) and labels y (N)."""
        X, index = self._start(X, y)
        means = np.stack([X[index == k].mean(axis=0) for k in range(len(self.classes_))])
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        self.coef_ = np.divide(means, lengths, out=np.zeros_like(means), where=lengths > 0)
        return self

    def _scores(self, X: Matrix) -> Matrix:
        scores: Matrix = X @ self.coef_.T
        return scores


def _build_euclidean() -> Any:
    from sklearn.neighbors import NearestCentroid

    return NearestCentroid()


@hookimpl
def register_decoders() -> list[DecoderSpec]:
    """Offer both nearest class means."""
    return [
        DecoderSpec(
            name="ncm",
            summary="nearest class mean by cosine",
            citation="Rocchio 1971; Mensink et al. 2013",
            build=CosineCentroid,
        ),
        DecoderSpec(
            name="ncm-euclidean",
            summary="nearest class mean by Euclidean distance",
            citation="Rocchio 1971; Mensink et al. 2013",
            build=_build_euclidean,
        ),
    ]
