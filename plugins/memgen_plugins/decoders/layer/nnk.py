"""Neighbours that are weighed by non-negative kernel regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from memgen_bench.toolkit.decoders import Neighbors
from memgen_plugins.decoders.base.argmax import ArgmaxClassifier
from memgen_plugins.decoders.base.nonnegative import nonnegative_weights
from memgen_plugins.decoders.base.ranges import COUNT, POSITIVE
from memgen_plugins.decoders.layer.neighbors import other_neighbors, weighted_votes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_BLOCK = 64  # points whose neighbours are gathered at a time


class KernelNeighbors(ArgmaxClassifier):
    """Votes of reliable neighbours by cosine, each with its weight in a reconstruction.

    Of the S neighbours of a point x, those vote whose images in kernel space make up that of x:
    their weights θ ≥ 0 minimise ‖φ(x) − Σ θ_i φ(s_i)‖². A neighbour that lies behind a nearer one
    gets the weight 0, so that votes come from all sides. The kernel is Gaussian on unit vectors,
    exp(−‖u − v‖² / 2σ²), where σ is a fraction of the distance from x to the farthest of them.

    As few points vote, each vote counts as much as its label is reliable, too: by the share of
    the S nearest other training points that have the same given label. Of equals the label with
    the nearest neighbour wins.

    Args:
        n_neighbors: The number of neighbours that may vote, S.
        width: σ by the distance of the farthest neighbour.

    Attributes:
        classes_: The classes seen, ascending.
        reliabilities_: Of each training point's label, N.

    Cost:
        Fit 2N²D FLOPs, predict 2MND + 2MS²D and M non-negative least squares of size S.

    References:
        NNK graphs: Shekkizhar & Ortega 2020, arXiv 1910.09383. Their votes, weighed by
        reliabilities, on noisy labels: Bozkurt & Ortega 2025, arXiv 2508.00202, who compare other
        reliabilities, on the embeddings of foundation models.
    """

    _parameter_constraints: ClassVar = {"n_neighbors": COUNT, "width": POSITIVE}

    def __init__(self, n_neighbors: int = 50, width: float = 0.3) -> None:
        self.n_neighbors = n_neighbors
        self.width = width

    def fit(self, X: Any, y: Any, neighbors: Neighbors | None = None) -> Self:
        """Find the reliability of each label.

        Args:
            X: Activations, N×D.
            y: Labels, N.
            neighbors: A search among X that is shared with other decoders.
        """
        self._points, self._index = self._start(X, y)
        self._neighbors = neighbors or Neighbors(self._points)
        others = other_neighbors(self._neighbors, self._points, self.n_neighbors)
        agree = self._index[others] == self._index[:, None]
        self.reliabilities_ = agree.sum(axis=1) / max(1, others.shape[1])
        return self

    def _parts(self, X: torch.Tensor) -> Iterator[torch.Tensor]:
        yield self._scores(X)  # at once: the search makes its own blocks

    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        nearest = self._neighbors.query(X, self.n_neighbors)
        weights = [
            self._weights(points, rows)
            for points, rows in zip(
                torch.split(X, _BLOCK), torch.split(nearest, _BLOCK), strict=True
            )
        ]
        rows = nearest.numpy()
        votes = np.concatenate(weights) * self.reliabilities_[rows]
        return torch.from_numpy(weighted_votes(self._index[rows], votes, len(self.classes_)))

    def _weights(self, X: torch.Tensor, nearest: torch.Tensor) -> Floats:
        """Return the weight of each neighbour of some points, B×S."""
        near = _units(self._points[nearest.to(self._points.device)]).to(X.device)
        steps = near - _units(X)[:, None]
        products = (steps @ steps.mT).cpu().numpy()
        squares = np.einsum("bss->bs", products)
        between = squares[:, :, None] + squares[:, None, :] - 2 * products
        scale = 2 * self.width**2 * squares.max(axis=1)
        scale[scale == 0] = 1  # all neighbours coincide with the point
        of_point = np.exp(-squares / scale[:, None])
        among = np.exp(-np.maximum(between, 0) / scale[:, None, None])
        weights = [nonnegative_weights(*pair) for pair in zip(among, of_point, strict=True)]
        return np.reshape(weights, of_point.shape)


def _units(X: torch.Tensor) -> torch.Tensor:
    """Return points with length 1, in float64; zero vectors as they are."""
    exact = X.double()
    lengths = torch.linalg.vector_norm(exact, dim=-1, keepdim=True)
    return exact / torch.where(lengths > 0, lengths, 1.0)
