"""Nearest neighbours by cosine, found once for all decoders that ask."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

from memgen_bench.compute import as_tensor, block_rows, finish

if TYPE_CHECKING:
    from collections.abc import Sequence

# So many neighbours are always found, so that fewer of them do not depend on who else asks.
FOUND = 64


class Neighbors:
    """The most similar training points by cosine; exact.

    Similarities are computed for a block of points at a time. A zero vector has similarity 0 to
    every point. Equally similar points come in the order of their rows; where there are more of
    them than fit, which ones are found is not defined, but the same in every run.

    Args:
        X: Training points, N×D array or tensor.
        kept: Matrices whose neighbours are kept once they are found, as those of X are.
        device: Where to compute; where X lies by default.

    Attributes:
        seconds: What a decoder of this view has used of earlier searches took, in seconds.
    """

    def __init__(
        self, X: Any, kept: Sequence[Any] = (), device: torch.device | None = None
    ) -> None:
        self._X = as_tensor(X)
        self._device = device or self._X.device
        self._kept = {_place(matrix): matrix for matrix in map(as_tensor, (X, *kept))}
        self._found: dict[Any, tuple[torch.Tensor, float]] = {}
        self._copies: dict[Any, Any] = {}
        self.seconds = 0.0

    def for_decoder(self) -> Neighbors:
        """Return a view that shares what was found and has a fresh account."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._copies, view.seconds = {}, 0.0
        return view

    def know(self, copy: torch.Tensor, original: Any) -> None:
        """Find for a copy, on another device, what was found for the original.

        Args:
            copy: It must live as long as this view is asked.
            original: X, or one of the matrices whose neighbours are kept.
        """
        self._copies[_place(copy)] = _place(as_tensor(original))

    def query(self, X: Any, k: int) -> torch.Tensor:
        """Return the rows of the k most similar training points, most similar first, M×min(k, N).

        Args:
            X: Points, M×D.
            k: How many neighbours.
        """
        X = as_tensor(X)
        place = self._copies.get(_place(X), _place(X))
        if k > FOUND or place not in self._kept:
            return self._search(X, max(k, FOUND))[:, :k]
        if place in self._found:
            self.seconds += self._found[place][1]
        else:
            started = time.perf_counter()
            rows = self._search(X, FOUND)
            self._found[place] = rows, time.perf_counter() - started
        return self._found[place][0][:, :k]

    def _search(self, X: torch.Tensor, k: int) -> torch.Tensor:
        points = self._X.to(self._device)
        k = min(k, len(points))
        scale = 1 / torch.linalg.vector_norm(points, dim=1)
        scale.masked_fill_(torch.isinf(scale), 0)
        found = []
        for block in torch.split(X, block_rows(len(points))):
            similarity = (block.to(points) @ points.T).mul_(scale)
            near, rows = torch.topk(similarity, k, dim=1)
            rows, order = rows.sort(dim=1)
            order = near.gather(1, order).sort(dim=1, descending=True, stable=True).indices
            found.append(rows.gather(1, order).cpu())
        finish(self._device)
        return torch.cat(found) if found else torch.empty(0, k, dtype=torch.int64)


def _place(X: torch.Tensor) -> tuple[Any, ...]:
    """Where and how a matrix lies in memory: its own as long as it is there."""
    return X.data_ptr(), X.shape, X.stride(), X.dtype
