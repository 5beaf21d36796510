"""Labels spread over a graph of nearest neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch

from memgen_bench.toolkit.decoders import Neighbors
from memgen_plugins.decoders.base.argmax import ArgmaxClassifier
from memgen_plugins.decoders.base.ranges import BELOW_ONE, COUNT
from memgen_plugins.decoders.layer.neighbors import other_neighbors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

# The norm of what is left of an equation where its solution ends, as a share of that of Y.
_RESIDUAL = 1e-8


class LabelSpreading(ArgmaxClassifier):
    """Spread the labels of the training points over their graph, then let neighbours vote.

    Two points are joined where one is among the `n_neighbors` most similar of the other by
    cosine. With S = Δ^(-1/2) A Δ^(-1/2) for adjacency A and degrees Δ, and Y the one-hot labels,
    the training points score F = (1 − α)·(1 − αS)⁻¹ Y, found by conjugate gradients to a relative
    residual of 1e-8. A new point scores the sum of F over its `n_neighbors` most similar training
    points.

    Args:
        n_neighbors: Neighbours of a point.
        alpha: Weight of the neighbours against the point's own label, 0 ≤ α < 1.

    Attributes:
        classes_: The classes seen, ascending.
        scores_: F, N×K, float64.

    Cost:
        Fit 2N²D FLOPs, predict 2MND.

    References:
        Zhou, Bousquet, Lal, Weston & Schölkopf 2003.
    """

    _parameter_constraints: ClassVar = {"n_neighbors": COUNT, "alpha": BELOW_ONE}

    def __init__(self, n_neighbors: int = 10, alpha: float = 0.9) -> None:
        self.n_neighbors = n_neighbors
        self.alpha = alpha

    def fit(self, X: Any, y: Any, neighbors: Neighbors | None = None) -> Self:
        """Fit on activations X (N×D) and labels y (N).

        Args:
            X: Activations.
            y: Labels.
            neighbors: A search among X that is shared with other decoders.

        Raises:
            LinAlgError: The scores of a class were not found.
            ValueError: A parameter is out of range.
        """
        points, index = self._start(X, y)
        self._neighbors = neighbors or Neighbors(points)
        given = np.eye(len(self.classes_))[index]
        system = scipy.sparse.eye_array(len(given), format="csr") - self.alpha * self._graph(points)
        columns = [_solution(system, (1 - self.alpha) * column) for column in given.T]
        self.scores_ = np.stack(columns, axis=1)
        return self

    def _graph(self, points: torch.Tensor) -> Any:
        """Return S, a sparse N×N matrix."""
        adjacency = adjacent(self._neighbors, points, self.n_neighbors)
        adjacency = adjacency.maximum(adjacency.T)
        degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)
        scale = scipy.sparse.diags_array(1 / np.sqrt(degree))
        return scale @ adjacency @ scale

    def _parts(self, X: torch.Tensor) -> Iterator[torch.Tensor]:
        yield self._scores(X)  # at once: the search makes its own blocks

    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        nearest = self._neighbors.query(X, self.n_neighbors).numpy()
        total = np.zeros((len(nearest), len(self.classes_)))
        for column in nearest.T:
            total += self.scores_[column]
        return torch.from_numpy(total)


def _solution(system: Any, right: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the solution of a sparse, positive definite system, N."""
    found, unfinished = scipy.sparse.linalg.cg(system, right, rtol=_RESIDUAL)
    if unfinished:
        raise np.linalg.LinAlgError(
            f"label spreading: conjugate gradients did not converge for {len(right)} points; "
            "lower alpha"
        )
    solution: npt.NDArray[np.float64] = found
    return solution


def adjacent(neighbors: Neighbors, points: torch.Tensor, count: int) -> Any:
    """Return the nearest other training points of each, as a sparse N×N matrix of ones."""
    others = other_neighbors(neighbors, points, count)
    rows = np.repeat(np.arange(len(others)), others.shape[1])
    shape = (len(others), len(others))
    return scipy.sparse.csr_array((np.ones(others.size), (rows, others.ravel())), shape=shape)
