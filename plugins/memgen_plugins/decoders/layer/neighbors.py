"""Nearest neighbours by cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from memgen_bench.toolkit.decoders import Neighbors
from memgen_plugins.decoders.base.argmax import ArgmaxClassifier

if TYPE_CHECKING:
    from collections.abc import Iterator


class CosineNeighbors(ArgmaxClassifier):
    """Majority label among the training points with the largest cosine similarity; exact.

    Where there are fewer points than neighbours all of them vote. Ties between labels go to the
    lowest class; a zero vector is equally similar to all points.

    Args:
        n_neighbors: Number of neighbours that vote.

    Attributes:
        classes_: The classes seen, ascending.

    Cost:
        Fit none, predict 2MND.

    References:
        Cover & Hart 1967; Papernot & McDaniel 2018, arXiv 1803.04765.
    """

    def __init__(self, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def fit(self, X: Any, y: Any, neighbors: Neighbors | None = None) -> Self:
        """Remember activations and labels.

        Args:
            X: Activations, N×D.
            y: Labels, N.
            neighbors: A search among X that is shared with other decoders.
        """
        if self.n_neighbors < 1:
            raise ValueError(f"n_neighbors={self.n_neighbors} must be at least 1")
        X, self._index = self._start(X, y)
        self._neighbors = neighbors or Neighbors(X)
        return self

    def _parts(self, X: torch.Tensor) -> Iterator[torch.Tensor]:
        yield self._scores(X)  # at once: the search makes its own blocks

    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        nearest = self._neighbors.query(X, self.n_neighbors).numpy()
        count = len(self.classes_)
        places = np.arange(len(nearest))[:, None] * count + self._index[nearest]
        votes = np.bincount(places.ravel(), minlength=len(nearest) * count)
        return torch.from_numpy(votes.reshape(-1, count).astype(np.float64))
