"""Decoders fitted on those training points that the network learned as it learns right labels."""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from memgen_bench.toolkit.decoders import taken
from memgen_plugins.decoders.base.ranges import ABOVE_ZERO, SWITCH
from memgen_plugins.decoders.base.wrapped import Wrapped

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_bench import Trajectory

    Flags = npt.NDArray[np.bool_]

SHARES = (0.7, 0.3, 0.5, 0.9)  # the first is the one without validation


class _Selected(Wrapped):
    """A decoder fitted on the training points that a trajectory chooses; on all without one."""

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        trajectory: Trajectory | None = None,
        validation: Any = None,
        transition: Any = None,
        network: Any = None,
    ) -> Self:
        """Fit on activations X (N×D) and labels y (N); without a trajectory on all of them."""
        needs = {"validation": validation, "transition": transition, "network": network}
        _, classes, index = self._start(X, y)
        everything = np.ones(len(index), bool)
        choices = [({}, everything)] if trajectory is None else self._choices(trajectory, index)
        if validation is None:
            choices = choices[:1]
        best = -1.0
        for chosen, kept in choices:
            lost = np.bincount(index[kept], minlength=len(classes)) == 0
            rows = np.flatnonzero(kept | lost[index])
            decoder = clone(self.estimator)
            decoder.fit(_rows(X, rows), _rows(y, rows), **taken(decoder.fit, needs))
            accuracy = 0.0 if len(choices) == 1 else _accuracy(decoder, *validation)
            if accuracy > best:
                best, self.kept_ = accuracy, kept | lost[index]
                inner = getattr(decoder, "chosen_", {})
                self.chosen_ = {**chosen, **({"estimator": inner} if inner else {})}
                self._take(decoder)
        return self

    @abstractmethod
    def _choices(
        self, trajectory: Trajectory, index: npt.NDArray[np.int64]
    ) -> list[tuple[dict[str, Any], Flags]]:
        """Return parameters to choose from, and the points that each of them keeps.

        Without validation the first are taken. `index` is each point's class.
        """


class AreaUnderMargin(_Selected):
    """A decoder fitted on the points of each class with the largest area under the margin.

    The margin is the logit of the given label minus the largest other one, in the training step of
    each epoch; points with right labels are learned from each other, and have a larger one for
    longer. Where a network is trained until it memorizes, margins tell less and less, so that the
    mean over epochs ends with the one that is best on noisy validation. A class that would lose
    all its points keeps them.

    Args:
        estimator: The decoder to fit on what is kept.
        share: Share of each class that is kept, in (0, 1]; None: the one of 0.7, 0.3, 0.5 and 0.9
            whose decoder is most accurate on noisy validation labels, without them 0.7.
        early: Whether margins end with the epoch that is best on noisy validation; of all epochs
            otherwise.

    Attributes:
        classes_: The classes seen, ascending.
        kept_: Whether each training point was kept, N.
        estimator_: The fitted decoder.
        chosen_: The share that it chose, and what the decoder chose.

    Cost:
        Four fits of the decoder and predictions of validation points; a fraction of a per cent of
        the training, where the margins come from.

    References:
        Pleiss, Zhang, Elenberg & Weinberger 2020, arXiv 2001.10528, who sum margins until the
        learning rate drops and set the threshold by points of an added class.
    """

    _parameter_constraints: ClassVar = {"share": [*ABOVE_ZERO, None], "early": SWITCH}

    def __init__(self, estimator: Any, share: float | None = None, early: bool = True) -> None:
        self.estimator = estimator
        self.share = share
        self.early = early

    def _choices(
        self, trajectory: Trajectory, index: npt.NDArray[np.int64]
    ) -> list[tuple[dict[str, Any], Flags]]:
        margins = trajectory.early_margin if self.early else trajectory.margin
        if self.share is not None:
            return [({}, largest(margins, index, self.share))]
        return [({"share": share}, largest(margins, index, share)) for share in SHARES]


class EarlyLoss(_Selected):
    """A decoder fitted on the points whose early loss is of the lower of two Gaussians.

    Losses are means over the epochs until the one that is best on noisy validation: networks learn
    right labels first. A class that would lose all its points keeps them.

    Args:
        estimator: The decoder to fit on what is kept.
        random_state: Seed of the mixture's beginning.

    Attributes:
        classes_: The classes seen, ascending.
        kept_: Whether each training point was kept, N.
        estimator_: The fitted decoder.
        chosen_: What the decoder chose.

    Cost:
        The decoder's own, a mixture for each network, and a fraction of a per cent of the training.

    References:
        Arazo, Ortego, Albert, O'Connor & McGuinness 2019, arXiv 1904.11238 (Beta distributions);
        Li, Socher & Hoi 2020, arXiv 2002.07394 (DivideMix: Gaussians).
    """

    def __init__(self, estimator: Any, random_state: int = 0) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def _choices(
        self, trajectory: Trajectory, index: npt.NDArray[np.int64]
    ) -> list[tuple[dict[str, Any], Flags]]:
        losses = trajectory.early_loss.astype(np.float64)
        return [({}, _lower(losses.tobytes(), self.random_state).copy())]


@lru_cache(maxsize=1)  # it is the same for all layers of a network
def _lower(losses: bytes, random_state: int) -> Flags:
    """Return which losses, N float64 numbers, are of the Gaussian with the lower mean."""
    points = np.frombuffer(losses)[:, None]
    if len(points) < 2 or np.ptp(points) < 1e-9:
        return np.ones(len(points), bool)
    mixture = GaussianMixture(2, n_init=3, random_state=random_state)
    found: Flags = mixture.fit_predict(points) == mixture.means_[:, 0].argmin()
    return found


def largest(scores: npt.NDArray[Any], index: npt.NDArray[np.int64], share: float) -> Flags:
    """Return which points are among the share of their class with the largest scores.

    Args:
        scores: A score of each point, N.
        index: Each point's class, 0..K-1, N.
        share: Share of each class, rounded up to whole points; of equal scores the earlier.
    """
    kept = np.zeros(len(scores), bool)
    for k in np.unique(index):
        rows = np.flatnonzero(index == k)
        order = np.argsort(-scores[rows], kind="stable")
        kept[rows[order[: int(np.ceil(share * len(rows)))]]] = True
    return kept


def _rows(values: Any, rows: npt.NDArray[np.int64]) -> Any:
    if isinstance(values, torch.Tensor):
        return values[torch.from_numpy(rows).to(values.device)]
    return np.asarray(values)[rows]


def _accuracy(decoder: Any, X: Any, labels: Any) -> float:
    return float(np.mean(decoder.predict(X) == np.asarray(labels)))
