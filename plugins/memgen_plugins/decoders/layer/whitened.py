"""Class subspaces after whitening: the directions in which a class stands out from all points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench.toolkit.decoders import as_tensor, eigh64
from memgen_plugins.decoders.base.argmax import MomentClassifier

if TYPE_CHECKING:
    from memgen_bench.toolkit.decoders import Moments


class WhitenedMASC(MomentClassifier):
    """Minimum angle subspace classifier after whitening the second moment of all points.

    With R_k the uncentred second moment of class k and R their mean over all points, shrunk
    towards a multiple of the identity, W = R^(-1/2); class k is represented by the leading
    eigenvectors U_k of W R_k W, as many for each class. A point goes to argmax_k ‖U_kᵀ W x‖:
    directions that all classes share count for none of them, and a class has no more axes than
    its points span.

    Args:
        n_components: Axes of each class.
        shrinkage: Shrinkage of R, in [0, 1].

    Attributes:
        classes_: The classes seen, ascending.
        components_: U_kᵀ W as rows, class after class, Kp×D, float32.

    Cost:
        Fit 2ND² + 9(K + 1)D³ FLOPs, predict 2MDKp.

    References:
        Fukunaga & Koontz 1970, for two classes; MASC is Ketha & Ramaswamy, arXiv 2501.14687.
    """

    def __init__(self, n_components: int = 2, shrinkage: float = 0.1) -> None:
        self.n_components = n_components
        self.shrinkage = shrinkage

    def _fit(self, moments: Moments) -> None:
        if self.n_components < 1:
            raise ValueError(f"n_components={self.n_components} must be at least 1")
        whitening = self._whitening(moments)
        found = []
        for k in range(len(moments.classes)):
            second = moments.second(k) / moments.counts[k]
            values, vectors = eigh64(whitening @ second @ whitening)
            spanned = values > values[-1] * torch.finfo(torch.float32).eps
            leading = (vectors * spanned).flip(1)[:, : self.n_components]
            found.append((whitening @ leading).T.float().cpu().numpy())
        self.components_ = np.concatenate(found)

    def _whitening(self, moments: Moments) -> torch.Tensor:
        """Return the inverse square root of the shrunk second moment of all points, D×D."""
        second = sum(moments.second(k) for k in range(len(moments.classes)))
        assert isinstance(second, torch.Tensor)
        values, vectors = eigh64(second / moments.counts.sum())
        values = (1 - self.shrinkage) * values.clamp(min=0) + self.shrinkage * values.mean()
        used = values > values.max() * torch.finfo(torch.float32).eps
        return (vectors[:, used] / values[used].sqrt()) @ vectors[:, used].T

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # subspaces through the origin cannot part blobs
        return tags

    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        """Return ‖U_kᵀ W x‖² of each point and class."""
        projected = X.float() @ as_tensor(self.components_).to(X.device).T
        return projected.square_().reshape(len(X), len(self.classes_), -1).sum(dim=2)
