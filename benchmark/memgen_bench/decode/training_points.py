"""The training points of one layer: stored, or only their moments, as decoders need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from memgen_bench.compute import as_tensor
from memgen_bench.decode.footprint import WAITING_BYTES, keeps_points
from memgen_bench.decode.moments import Adding, KeptMoments
from memgen_bench.decode.neighbors import Neighbors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from memgen_bench.arrays import Matrix
    from memgen_bench.decode.moments import Labelling, Moments
    from memgen_bench.decode.scratch import Scratch
    from memgen_bench.plan.plan import Draw, Layer

    Labellings = Mapping[Draw | None, Labelling]


class TrainingPoints:
    """The training points of a layer, added batch by batch.

    Args:
        layer: The layer.
        count: Number of points that will be added.
        sample: Positions of the points on which train accuracy is measured.
        num_classes: K.
        stored: Whether a decoder needs the points themselves.
        labellings: The labels whose moments decoders need, by draw.
        device: The device to compute on.
        scratch: The storage of points.

    Attributes:
        points: N×D, or None if they are not stored.
        finite: Whether all points are finite.
    """

    def __init__(
        self,
        layer: Layer,
        *,
        count: int,
        sample: npt.NDArray[np.int64],
        num_classes: int,
        stored: bool,
        labellings: Labellings,
        device: torch.device,
        scratch: Scratch,
    ) -> None:
        self._sample, self._labellings = sample, labellings
        self._device, self._scratch = device, scratch
        self._position, self._finite = 0, torch.ones((), dtype=torch.bool, device=device)
        kept = keeps_points(count, layer.dim, num_classes)
        self._adding = {
            draw: Adding(labelling, num_classes=num_classes, dim=layer.dim, device=device)
            for draw, labelling in labellings.items()
            if not kept
        }
        keep = stored or (kept and bool(labellings))
        self.points = scratch.empty((count, layer.dim)) if keep else None
        self._sampled = None if keep else scratch.empty((len(sample), layer.dim))

    def add(self, rows: torch.Tensor) -> None:
        """Add the next points."""
        stop = self._position + len(rows)
        self._finite &= torch.isfinite(rows.sum())
        if self.points is not None:
            as_tensor(self.points[self._position : stop]).copy_(rows)
        elif self._sampled is not None:
            first, last = np.searchsorted(self._sample, (self._position, stop))
            chosen = torch.from_numpy(self._sample[first:last] - self._position)
            as_tensor(self._sampled[first:last]).copy_(rows[chosen.to(rows.device)])
        for adding in self._adding.values():
            adding.add(rows)
        self._position = stop

    @property
    def finite(self) -> bool:
        """Whether all points so far are finite."""
        return bool(self._finite)

    def sample(self) -> Matrix:
        """Return the points of the sample."""
        if self._sampled is None:
            assert self.points is not None  # one of the two exists
            self._sampled = self.points[self._sample]
        return self._sampled

    def has_moments(self, draw: Draw | None, labels: str) -> bool:
        """Whether a decoder needs the moments under a draw and a kind of labels."""
        return draw in self._labellings and labels in self._labellings[draw].wanted

    def moments(self, draw: Draw | None, labels: str) -> Moments:
        """Return the moments under a draw and a kind of labels."""
        if self._adding:
            return self._adding[draw].moments(labels)
        assert self.points is not None  # kept where nothing is added up
        return KeptMoments(
            as_tensor(self.points),
            self._labellings[draw].vectors[labels],
            device=self._device,
            scratch=self._scratch,
        )

    def neighbors(self, queries: Sequence[Matrix]) -> Neighbors:
        """Return a search among the points; the neighbours of some matrices are kept."""
        assert self.points is not None  # stored where a decoder wants a search
        return Neighbors(self.points, queries, device=self._device, scratch=self._scratch)

    @staticmethod
    def bytes(
        layer: Layer, *, count: int, num_classes: int, stored: bool, labellings: Labellings
    ) -> int:
        """Return the bytes that the moments and the stored points take."""
        kept = keeps_points(count, layer.dim, num_classes)
        sums = [each.bytes(num_classes, layer.dim) for each in labellings.values() if not kept]
        keep = stored or (kept and bool(labellings))
        return sum(sums) + WAITING_BYTES * bool(sums) + 4 * count * layer.dim * keep
