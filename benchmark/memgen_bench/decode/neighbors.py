"""Nearest neighbours by cosine, found once for all decoders that need them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench.compute import as_tensor, block_rows, blocks, finish, place_in_memory
from memgen_bench.decode.lent_memory import LentMemory
from memgen_bench.decode.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

# The fewest neighbours that are found, so that results do not depend on other decoders' needs.
FOUND = 64
# The mean cosine of points above which float32 cosines are too coarse to tell them apart.
_ALIKE = 0.9


class Neighbors:
    """The most similar training points by cosine; exact.

    Similarities are computed for a block of points at a time. A zero vector has similarity 0 to
    every point. Equally similar points come in the order of their rows; if there are more of them
    than asked for, the choice is not defined, but the same in every run.

    In later layers of an untrained network all points lie in almost the same direction, and their
    cosines differ by less than float32 resolves. There unit vectors u are compared after the mean
    m of those of the training points was taken from them in float64, which changes no order: but
    for what all training points share, ⟨v, u⟩ is ⟨v − m, u − m⟩ + ⟨m, u⟩.

    Args:
        X: Training points, N×D array or tensor.
        kept: Matrices whose neighbours are kept once they are found, like those of X.
        device: The device to compute on; by default that of X.
        scratch: The storage of a copy of X.

    Attributes:
        lent: What decoders get of them.
        seconds: Seconds of earlier searches whose results were used through this view.
    """

    def __init__(
        self,
        X: Any,
        kept: Sequence[Any] = (),
        device: torch.device | None = None,
        scratch: Scratch | None = None,
    ) -> None:
        self._X, self._scratch = as_tensor(X), scratch or Scratch()
        self._device = device or self._X.device
        self._kept = {place_in_memory(matrix): matrix for matrix in map(as_tensor, (X, *kept))}
        self._found: dict[Any, tuple[torch.Tensor, float]] = {}
        self._directions: list[_Directions] = []
        self._copies: dict[Any, Any] = {}
        self.lent, self.seconds = LentMemory(), 0.0

    def for_decoder(self) -> Neighbors:
        """Return a view that shares all results and has an account of its own."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._copies, view.seconds = {}, 0.0
        return view

    def know(self, copy: torch.Tensor, original: Any) -> None:
        """Register a copy of a matrix, on another device, whose results are those of the original.

        Args:
            copy: The copy, which must live as long as this view is used.
            original: X, or one of the matrices whose neighbours are kept.
        """
        self._copies[place_in_memory(copy)] = place_in_memory(as_tensor(original))

    def query(self, X: Any, k: int) -> torch.Tensor:
        """Return the rows of the k most similar training points, most similar first, M×min(k, N).

        Args:
            X: Points, M×D.
            k: Number of neighbours.
        """
        X = as_tensor(X)
        place = self._copies.get(place_in_memory(X), place_in_memory(X))
        if k > FOUND or place not in self._kept:
            return self._search(X, max(k, FOUND))[:, :k]
        if place in self._found:
            self.seconds += self._found[place][1]
        else:
            started = time.perf_counter()
            rows = self._search(X, FOUND)
            self._found[place] = rows, time.perf_counter() - started
            self.lent.lend(rows)
        return self._found[place][0][:, :k]

    def _search(self, X: torch.Tensor, k: int) -> torch.Tensor:
        if not self._directions:
            self._directions.append(_directions(self._X, self._scratch))
        directions, k = self._directions[0].to(self._device), min(k, len(self._X))
        found = []
        for block in torch.split(X, block_rows(len(self._X))):
            similarity = directions.similarity(block.to(directions.points))
            rows = largest(similarity, k)
            near = similarity.gather(1, rows)
            order = near.sort(dim=1, descending=True, stable=True).indices
            found.append(rows.gather(1, order).cpu())
        finish(self._device)
        return torch.cat(found) if found else torch.empty(0, k, dtype=torch.int64)


@dataclass(frozen=True)
class _Directions:
    """The directions of the training points, x / ‖x‖, as far as they differ.

    Attributes:
        points: x, or x / ‖x‖ − m where a mean is taken out, N×D.
        scale: 1 / ‖x‖, or 0 for a zero vector; 1 where a mean is taken out, N.
        mean: m, or 0, D, float64.
        shares: ⟨m, x / ‖x‖⟩ less its mean over all x, N.
    """

    points: torch.Tensor
    scale: torch.Tensor
    mean: torch.Tensor
    shares: torch.Tensor

    def to(self, device: torch.device) -> _Directions:
        """Return them on a device."""
        parts = (self.points, self.scale, self.mean, self.shares)
        return _Directions(*(part.to(device) for part in parts))

    def similarity(self, X: torch.Tensor) -> torch.Tensor:
        """Return ‖x‖ times the cosine with each training point, up to a term of x alone, M×N."""
        if not bool(self.mean.any()):
            return (X @ self.points.T).mul_(self.scale)
        exact = X.double()
        lengths = torch.linalg.vector_norm(exact, dim=1)
        own = (exact - torch.outer(lengths, self.mean)).to(X)
        return (own @ self.points.T).mul_(self.scale).addr_(lengths.to(X), self.shares)


def largest(matrix: torch.Tensor, k: int) -> torch.Tensor:
    """Return the columns of the k largest elements of each row, ascending, M×k.

    On the CPU they are those that are not below the k-th largest, which NumPy finds several times
    as fast as torch finds the columns; rows in which other elements equal it are left to torch.
    """
    if not (matrix.is_cpu and matrix.numel()):
        return torch.topk(matrix, k, dim=1).indices.sort(dim=1).values
    array = matrix.numpy()
    least = np.partition(array, -k, axis=1)[:, -k, None]
    chosen = array >= least
    unclear = np.flatnonzero(chosen.sum(axis=1) != k)
    chosen[unclear] = np.arange(array.shape[1]) < k
    found = torch.from_numpy((np.flatnonzero(chosen) % array.shape[1]).reshape(-1, k))
    rows = torch.from_numpy(unclear)
    found[rows] = torch.topk(matrix[rows], k, dim=1).indices.sort(dim=1).values
    return found


def _directions(X: torch.Tensor, scratch: Scratch) -> _Directions:
    """Return the directions of points, N×D, in their precision."""
    mean = torch.stack([_units(block).sum(dim=0) for block in blocks(X)]).sum(dim=0) / len(X)
    if mean @ mean < _ALIKE:
        scale = 1 / torch.linalg.vector_norm(X, dim=1)
        scale.masked_fill_(torch.isinf(scale), 0)
        return _Directions(X, scale, torch.zeros_like(mean), torch.zeros_like(scale))
    points = as_tensor(scratch.empty(tuple(X.shape), X.numpy().dtype)) if X.is_cpu else X.clone()
    shares = []
    for block, place in zip(blocks(X), blocks(points), strict=True):
        place.copy_(_units(block) - mean)
        shares.append(_units(block) @ mean)
    share = torch.cat(shares)
    return _Directions(points, torch.ones_like(X[:, 0]), mean, (share - share.mean()).to(X))


def _units(X: torch.Tensor) -> torch.Tensor:
    """Return points scaled to length 1, in float64; zero vectors as they are."""
    exact = X.double()
    lengths = torch.linalg.vector_norm(exact, dim=1, keepdim=True)
    return exact / torch.where(lengths > 0, lengths, 1.0)
