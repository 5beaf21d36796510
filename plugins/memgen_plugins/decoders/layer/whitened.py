"""Class subspaces after whitening: the directions in which a class stands out from all points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from memgen_bench.toolkit.decoders import as_tensor, eigh64
from memgen_plugins.decoders.base.argmax import MomentClassifier
from memgen_plugins.decoders.base.ranges import COUNT, FRACTION
from memgen_plugins.decoders.base.triangular import whitened

if TYPE_CHECKING:
    from memgen_bench.toolkit.decoders import Moments

# Up to this size, or for more than an eighth of all axes, a whole eigenproblem is as fast.
_SMALL = 128
_PRECISION = 1e-10  # of eigenvalues that are found one by one, relative


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
        Fit 2ND² + D³ FLOPs and about 50 products of 6D² for each class, predict 2MDKp.

    References:
        Fukunaga & Koontz 1970, for two classes; MASC is Ketha & Ramaswamy, arXiv 2501.14687.
    """

    _parameter_constraints: ClassVar = {"n_components": COUNT, "shrinkage": FRACTION}

    def __init__(self, n_components: int = 2, shrinkage: float = 0.1) -> None:
        self.n_components = n_components
        self.shrinkage = shrinkage

    def _fit(self, moments: Moments) -> None:
        whitening = self._whitening(moments)
        found = []
        for k in range(len(moments.classes)):
            second = moments.second(k) / moments.counts[k]
            values, vectors = leading(whitening, second, self.n_components)
            spanned = values > values[0] * torch.finfo(torch.float32).eps
            found.append((whitening @ (vectors * spanned)).T.float().cpu().numpy())
        self.components_ = np.concatenate(found)

    def _whitening(self, moments: Moments) -> torch.Tensor:
        """Return W with W Wᵀ = R⁻¹, R the shrunk second moment of all points, D×D."""
        second = sum(moments.second(k) for k in range(len(moments.classes)))
        assert isinstance(second, torch.Tensor)
        second = second / moments.counts.sum()
        level = second.trace() / len(second)
        second.mul_(1 - self.shrinkage).diagonal().add_(self.shrinkage * level)
        found = whitened(second.clone()) if self.shrinkage else None
        return _root(second) if found is None else found[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # subspaces through the origin cannot part blobs
        return tags

    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        """Return ‖U_kᵀ W x‖² of each point and class."""
        projected = X.float() @ as_tensor(self.components_).to(X.device).T
        return projected.square_().reshape(len(X), len(self.classes_), -1).sum(dim=2)


def leading(
    whitening: torch.Tensor, second: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest eigenvalues and their eigenvectors of WᵀRW, largest first.

    Few axes of a large matrix are found by Lanczos' method, from a start that is always the same.

    Args:
        whitening: W, D×D.
        second: R, D×D, symmetric and positive semidefinite.
        count: The number of eigenvalues, p; D where that is less.
    """
    dim = len(second)
    if second.is_cpu and dim > _SMALL and 8 * count <= dim:
        outer, inner = whitening.numpy(), second.numpy()
        operator = LinearOperator(
            (dim, dim), dtype=np.float64, matvec=lambda v: outer.T @ (inner @ (outer @ v))
        )
        start = np.random.default_rng(0).standard_normal(dim)
        try:
            values, vectors = eigsh(operator, count, v0=start, tol=_PRECISION)
        except ArpackNoConvergence:  # among many equal eigenvalues
            pass
        else:
            descending = np.argsort(-values)
            return torch.from_numpy(values[descending]), torch.from_numpy(vectors[:, descending])
    found, axes = eigh64(whitening.T @ second @ whitening)
    return found.flip(0)[:count], axes.flip(1)[:, :count]


def _root(second: torch.Tensor) -> torch.Tensor:
    """Return the inverse square root of a positive semidefinite matrix on what it spans, D×D."""
    values, vectors = eigh64(second)
    used = values > values.max() * torch.finfo(torch.float32).eps
    return (vectors[:, used] / values[used].sqrt()) @ vectors[:, used].T
