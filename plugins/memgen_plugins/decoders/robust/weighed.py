"""Training points weighed against held-out ones by how much of the given label they carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from sklearn.base import clone

from memgen_bench.toolkit.decoders import Moments, moments_of
from memgen_plugins.decoders.base.wrapped import Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]


class Weighed(Wrapped):
    """A decoder fitted on training points with a weight, and on held-out points with weight 1.

    Activations of points that the network was trained on carry the given label, wrong ones too. The
    decoder is fitted on each half of the training points (every other one), and predicts the other
    half and the held-out points, whose labels are as noisy: with accuracies a and b on given
    labels, a share c = (a - b) / (1 - b) of what held-out points leave open is carried, and a
    training point has the weight 1 - c, between 0 and 1. Where no point is held out, or none is
    not, all points have weight 1.

    Args:
        estimator: The decoder, which is fitted from class moments.

    Attributes:
        classes_: The classes seen, ascending.
        weight_: The weight of training points.
        estimator_: The fitted decoder.
        chosen_: The weight.

    Cost:
        Two fits more, and predictions of all points.

    References:
        None: the weight is of this package.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, held_out: Flags | None = None) -> Self:
        """Fit on activations X (N×D) and labels y (N).

        Args:
            X: Activations.
            y: Labels.
            held_out: Which points the network never saw, N.
        """
        points, classes, index = self._start(X, y)
        new = np.zeros(len(index), bool) if held_out is None else np.asarray(held_out)
        if new.all() or not new.any():
            self.weight_ = 1.0
            moments = moments_of(points, index)
        else:
            self.weight_ = 1 - self._carried(points, index, new)
            self.chosen_ = {"weight": self.weight_}
            moments = self._weighed(points, index, new)
        self._take(clone(self.estimator).fit_moments(moments))
        self.classes_ = self.estimator_.classes_ = classes[self.estimator_.classes_]
        return self

    def _weighed(self, X: torch.Tensor, index: npt.NDArray[np.int64], new: Flags) -> Moments:
        """Return the moments of training points, at their weight, and of held-out ones."""
        return WeighedMoments(
            [
                (weight, moments_of(X[_tensor(own, X)], index[own]))
                for weight, own in ((self.weight_, ~new), (1.0, new))
                if weight > 0
            ]
        )

    def _carried(self, X: torch.Tensor, index: npt.NDArray[np.int64], new: Flags) -> float:
        """Return the share of what held-out points leave open that training points carry."""
        seen = np.flatnonzero(~new)
        agreements = []
        for fitted, left_out in ((seen[::2], seen[1::2]), (seen[1::2], seen[::2])):
            decoder = clone(self.estimator).fit_moments(
                moments_of(X[_tensor(fitted, X)], index[fitted])
            )
            agreements.append(
                [
                    np.mean(np.asarray(decoder.predict(X[_tensor(rows, X)])) == index[rows])
                    for rows in (left_out, np.flatnonzero(new))
                ]
            )
        of_seen, of_new = np.mean(agreements, axis=0)
        return float(np.clip((of_seen - of_new) / max(1 - of_new, 1e-9), 0, 1))


class WeighedMoments(Moments):
    """The moments of several sets of points, each with a weight.

    Args:
        parts: Weights above 0 and the moments of the points.
    """

    def __init__(self, parts: Sequence[tuple[float, Moments]]) -> None:
        self._parts = parts
        self.classes = np.unique(np.concatenate([moments.classes for _, moments in parts]))
        first = parts[0][1].means
        self.counts = torch.zeros(len(self.classes), dtype=torch.float64, device=first.device)
        self.means = first.new_zeros(len(self.classes), first.shape[1])
        for weight, moments in parts:
            places = np.searchsorted(self.classes, moments.classes)
            self.counts[places] += weight * moments.counts
            self.means[places] += weight * moments.counts[:, None] * moments.means
        self.means /= self.counts[:, None]
        super().__init__(0.0)

    def second(self, k: int) -> torch.Tensor:
        """Return the weighted Σ x xᵀ over the points of the k-th class, D×D."""
        found = torch.zeros(self.dim, self.dim, dtype=torch.float64, device=self.means.device)
        for weight, moments in self._parts:
            for place in np.flatnonzero(moments.classes == self.classes[k]):
                found += weight * moments.second(int(place))
        return found


def _tensor(rows: npt.NDArray[Any], like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(rows).to(like.device)
