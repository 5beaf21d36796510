"""Subspace decoders: MASC, which is CLAFIC applied to memorized layers, and VeLPIC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from memgen_bench.toolkit.decoders import as_tensor
from memgen_plugins.decoders.base.argmax import LinearScores, MomentClassifier
from memgen_plugins.decoders.base.ranges import BETWEEN

if TYPE_CHECKING:
    from memgen_bench.toolkit.decoders import Moments


# So many points are projected at once: the products stay in the processor's cache.
_ROWS = 512


class MASC(MomentClassifier):
    """Minimum angle subspace classifier.

    Each class k is represented by the leading eigenvectors U_k of its *uncentred* second moment
    X_kᵀ X_k / n_k, as many as it takes for their cumulative eigenvalue share to exceed `variance`:
    p_k = #{cumulative share ≤ variance} + 1. A point goes to the class whose subspace makes the
    smallest angle with it, arccos(‖U_kᵀ x‖ / ‖x‖), that is to argmax_k ‖U_kᵀ x‖.

    Defined corner cases: ties, a zero vector among them, go to the lowest class; a class without
    points is never predicted; a class of zero vectors has the empty subspace; with fewer points
    than dimensions p_k is at most the number of points. A subspace that is the whole space makes
    no angle with any point, exactly: of several such classes the lowest is predicted.

    Args:
        variance: Share of the second moment to keep, 0 < variance < 1.

    Attributes:
        classes_: The classes seen, ascending.
        n_components_: p_k of each class.
        components_: The subspaces' axes as rows, class after class, Σp_k×D, float32.

    Cost:
        Fit 2ND² + 9KD³ FLOPs, predict 2MD·Σp_k; a class of n_k < D points takes 2n_k²D + 9n_k³ +
        2n_k²D of the fit.

    References:
        Ketha & Ramaswamy, arXiv 2501.14687. The decision rule is that of CLAFIC (Watanabe et al.
        1967; Oja, Subspace Methods of Pattern Recognition, 1983).
    """

    _parameter_constraints: ClassVar = {"variance": BETWEEN}

    def __init__(self, variance: float = 0.99) -> None:
        self.variance = variance

    def _fit(self, moments: Moments) -> None:
        axes = [moments.axes(k) for k in range(len(moments.classes))]
        self.n_components_ = np.array([self._needed(values) for values, _ in axes])
        shape = (int(self.n_components_.sum()), moments.dim)
        self.components_ = moments.scratch.empty(shape)
        for place, (_, vectors) in zip(self._places(), axes, strict=True):
            self.components_[place] = vectors[:, : place.stop - place.start].T.cpu().numpy()

    def _needed(self, values: torch.Tensor) -> int:
        """Return how many axes it takes to exceed the share."""
        share = values.double().cumsum(0)
        if float(share[-1]) == 0:
            return 0
        return min(int((share / share[-1] <= self.variance).sum()) + 1, len(values))

    def _places(self) -> list[slice]:
        ends = np.cumsum(self.n_components_).tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # subspaces through the origin cannot part blobs
        return tags

    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        """Return ‖U_kᵀ x‖² of each point and class."""
        X = X.float()
        axes = as_tensor(self.components_).to(X.device).T
        found = torch.cat([self._lengths(rows @ axes) for rows in torch.split(X, _ROWS)])
        whole = self.n_components_ == X.shape[1]
        if whole.any():  # the whole space: the point's own length, and not up to rounding
            found[:, torch.from_numpy(whole)] = X.square().sum(dim=1, keepdim=True)
        return found

    def _lengths(self, projected: torch.Tensor) -> torch.Tensor:
        """Return the squared length of each row's part in each subspace."""
        parts = torch.split(projected.square_(), self.n_components_.tolist(), dim=1)
        return torch.stack([part.sum(dim=1) for part in parts], dim=1)


class VeLPIC(LinearScores, MomentClassifier):
    """One vector per class: the first eigenvector v_k of its uncentred second moment.

    Its sign is chosen so that the mean projection of *all* training points is not negative; a
    point goes to argmax_k ⟨x, v_k⟩, ties to the lowest class. On non-negative activations this is
    MASC with one component per class. A class of zero vectors has v_k = 0.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: v_k as rows, K×D, float64.

    Cost:
        Fit 2ND² + 9KD³ FLOPs, predict 2MDK.

    References:
        Ketha & Ramaswamy 2026, arXiv 2603.19865; the class vectors are those of FINE (Kim et al.,
        NeurIPS 2021).
    """

    def _fit(self, moments: Moments) -> None:
        self._set(moments.shared("first axes", lambda: self._vectors(moments)))

    def _vectors(self, moments: Moments) -> torch.Tensor:
        mean = moments.mean()
        return torch.stack([self._vector(moments, k, mean) for k in range(len(moments.counts))])

    @staticmethod
    def _vector(moments: Moments, k: int, mean: torch.Tensor) -> torch.Tensor:
        values, axes = moments.axes(k)
        vector = axes[:, 0].double() * (values[0] > 0)
        return -vector if vector @ mean < 0 else vector

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # a vector's length decides too: blobs overlap
        return tags
