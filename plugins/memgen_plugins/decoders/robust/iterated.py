"""Decoders that relabel the training points until their labels stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import clone

from memgen_bench import NotApplicable
from memgen_plugins.decoders.base.cross_fitting import by_best_on_others
from memgen_plugins.decoders.base.ranges import COUNT
from memgen_plugins.decoders.base.wrapped import Wrapped

if TYPE_CHECKING:
    import numpy.typing as npt


class Iterated(Wrapped):
    """A decoder that is fitted again and again on the labels that it gives the training points.

    The n-th round is the last decoder of `a>a>…>a` with n parts. It ends where no label changes
    any more, where the labels left are too few to fit on, or after `rounds`. Of all rounds the
    one that is most accurate on noisy validation labels is kept, of equals the earliest; without
    them, the last. A fixed point need not be a good one: from some round on a decoder that
    confirms its own errors loses accuracy, which noisy validation shows and training labels hide.

    Args:
        estimator: The decoder.
        rounds: The most rounds.

    Attributes:
        classes_: The classes that the kept round saw, ascending.
        estimator_: The decoder of that round.
        rounds_: The number of rounds.
        chosen_: The kept round, from 1, as if `rounds` were that.
        validation_predictions_: The label of each validation point, by the round that is best on
            the other folds; None without validation points.

    Cost:
        A fit, and predictions of all training and validation points, for each round.

    References:
        Yarowsky 1995 (self-training); Tanaka et al. 2018, arXiv 1803.11364 (relabelling).
    """

    _parameter_constraints: ClassVar = {"rounds": COUNT}
    validation_predictions_: npt.NDArray[np.int64] | None

    def __init__(self, estimator: Any, rounds: int = 10) -> None:
        self.estimator = estimator
        self.rounds = rounds

    def fit(self, X: Any, y: Any, validation: Any = None) -> Self:
        """Fit on activations X (N×D) and labels y (N).

        Raises:
            ValueError: `rounds` is below 1.
        """
        _, classes, index = self._start(X, y)
        labels, best, held = classes[index], -1.0, []
        for count in range(1, self.rounds + 1):
            self.rounds_ = count
            try:
                decoder = clone(self.estimator).fit(X, _as(labels, y))
            except NotApplicable:
                if count == 1:
                    raise
                break
            accuracy = float(count)
            if validation is not None:
                held.append(np.asarray(decoder.predict(validation[0])))
                accuracy = float(np.mean(held[-1] == np.asarray(validation[1])))
            if accuracy > best:
                best, self.chosen_ = accuracy, {"rounds": count}
                self._take(decoder)
            found = np.asarray(decoder.predict(X))
            if (found == labels).all():
                break
            labels = found
        self.validation_predictions_ = by_best_on_others(held, validation[1]) if held else None
        return self


def _as(labels: Any, like: Any) -> Any:
    """Return labels as a tensor where others are one."""
    return torch.from_numpy(labels).to(like.device) if isinstance(like, torch.Tensor) else labels
