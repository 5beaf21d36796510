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

    Where there are fewer points than neighbours all of them vote. Of labels with equally many
    votes the one with the nearest neighbour wins; a zero vector is equally similar to all points,
    of which the first ones vote. A class scores its votes plus 1 / (2r + 2), where its nearest
    neighbour is the r-th nearest, r ≥ 1.

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
        votes = np.zeros((len(nearest), len(self.classes_)))
        places = np.full(votes.shape, np.inf)
        points = np.arange(len(nearest))
        for place in reversed(range(nearest.shape[1])):  # the nearest last: its place stays
            voted = self._index[nearest[:, place]]
            votes[points, voted] += 1
            places[points, voted] = place
        return torch.from_numpy(votes + 0.5 / (places + 2))
