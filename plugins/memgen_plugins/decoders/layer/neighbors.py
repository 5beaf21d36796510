"""Nearest neighbours by cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from memgen_bench.toolkit.decoders import Neighbors
from memgen_plugins.decoders.base.argmax import ArgmaxClassifier
from memgen_plugins.decoders.base.ranges import COUNT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Places = npt.NDArray[np.int64]

_TRIFLE = 1e-9  # of a vote, that makes equals unequal


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

    _parameter_constraints: ClassVar = {"n_neighbors": COUNT}

    def __init__(self, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def fit(self, X: Any, y: Any, neighbors: Neighbors | None = None) -> Self:
        """Remember activations and labels.

        Args:
            X: Activations, N×D.
            y: Labels, N.
            neighbors: A search among X that is shared with other decoders.
        """
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


class ReliableNeighbors(ArgmaxClassifier):
    """Nearest neighbours by cosine, each with the weight of its label's reliability.

    A training point's label takes k of its nearest other points to win their vote: the smallest
    odd k from `n_fewest` on, or `n_most` where it never does. Its reliability is 1/k. A new point
    asks as many neighbours as the nearest training point took, and these vote with their
    reliabilities. Of equals the label with the nearest neighbour wins.

    Args:
        n_fewest: The fewest neighbours that vote.
        n_most: The most neighbours that vote.

    Attributes:
        classes_: The classes seen, ascending.
        sizes_: k of each training point, N.

    Cost:
        Fit 2N²D FLOPs, predict 2MND.

    References:
        WANN: Di Salvo, Doerrich, Rieger & Ledig 2025, arXiv 2408.14358, there by Euclidean
        distance on the embeddings of a foundation model.
    """

    _parameter_constraints: ClassVar = {"n_fewest": COUNT, "n_most": COUNT}

    def __init__(self, n_fewest: int = 11, n_most: int = 51) -> None:
        self.n_fewest = n_fewest
        self.n_most = n_most

    def fit(self, X: Any, y: Any, neighbors: Neighbors | None = None) -> Self:
        """Find the reliability of each label.

        Args:
            X: Activations, N×D.
            y: Labels, N.
            neighbors: A search among X that is shared with other decoders.

        Raises:
            ValueError: `n_fewest` is more than `n_most`.
        """
        if self.n_fewest > self.n_most:
            raise ValueError(f"n_fewest={self.n_fewest} is more than n_most={self.n_most}")
        points, self._index = self._start(X, y)
        self._neighbors = neighbors or Neighbors(points)
        labels = self._index[other_neighbors(self._neighbors, points, self.n_most)]
        self.sizes_ = self._sizes(labels)
        return self

    def _sizes(self, labels: Places) -> Places:
        """Return k of each training point, N, from the labels of its neighbours, N×`n_most`."""
        sizes, points = np.full(len(labels), self.n_most), np.arange(len(labels))
        votes = np.zeros((len(labels), len(self.classes_)))
        tried = range(self.n_fewest, self.n_most, 2)
        for place, voted in enumerate(labels.T):
            # The first vote for a class counts a trifle more, the nearer the more.
            votes[points, voted] += np.where(votes[points, voted] > 0, 1, 1 + _TRIFLE / (place + 1))
            if place + 1 in tried:
                won = votes.argmax(axis=1) == self._index
                sizes[won] = np.minimum(sizes[won], place + 1)
        return sizes

    def _parts(self, X: torch.Tensor) -> Iterator[torch.Tensor]:
        yield self._scores(X)  # at once: the search makes its own blocks

    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        nearest = self._neighbors.query(X, self.n_most).numpy()
        asked = np.arange(nearest.shape[1]) < self.sizes_[nearest[:, :1]]
        weights = asked / self.sizes_[nearest]
        return torch.from_numpy(weighted_votes(self._index[nearest], weights, len(self.classes_)))


def weighted_votes(labels: Places, weights: npt.NDArray[np.float64], classes: int) -> Any:
    """Return the weight of each class's votes, N×K; the nearest of equals gets a trifle more.

    Args:
        labels: Of each point's neighbours, the nearest first, N×k.
        weights: Of their votes, N×k.
        classes: K.
    """
    votes = np.zeros((len(labels), classes))
    trifle, points = np.zeros_like(votes), np.arange(len(labels))
    for place in reversed(range(labels.shape[1])):  # the nearest last: its place stays
        votes[points, labels[:, place]] += weights[:, place]
        trifle[points, labels[:, place]] = _TRIFLE / (place + 1)
    return votes + trifle * (votes > 0)


def other_neighbors(neighbors: Neighbors, points: torch.Tensor, count: int) -> Places:
    """Return the nearest other training points of each training point, the nearest first, N×k."""
    found = neighbors.query(points, count + 1).numpy()
    own = found == np.arange(len(found))[:, None]
    own[~own.any(axis=1), -1] = True  # not among its own nearest: drop the last
    others: Places = found[~own].reshape(len(found), -1)
    return others
