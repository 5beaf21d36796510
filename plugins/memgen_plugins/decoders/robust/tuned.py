"""Parameters chosen on noisy validation labels."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.utils.metaestimators import available_if

from memgen_bench import NotApplicable
from memgen_bench.toolkit.decoders import taken
from memgen_plugins.decoders.base.wrapped import Wrapped, from_moments


class Tuned(Wrapped):
    """A decoder with the parameters that are most accurate on noisy validation labels.

    Where true labels are the likeliest given ones, that accuracy grows with the accuracy on true
    labels, and no true label is seen. Ties go to the parameters that come first in the grid.
    Without validation points the decoder keeps its own parameters.

    Args:
        estimator: The decoder.
        grid: Parameters to try, as for scikit-learn's `ParameterGrid`.

    Attributes:
        classes_: The classes seen, ascending.
        estimator_: The fitted decoder with the chosen parameters.
        chosen_: The chosen parameters.

    Cost:
        A fit, and predictions of all validation points, for each point of the grid.
    """

    def __init__(self, estimator: Any, grid: Any) -> None:
        self.estimator = estimator
        self.grid = grid

    def fit(
        self, X: Any, y: Any, validation: Any = None, transition: Any = None, neighbors: Any = None
    ) -> Self:
        """Fit on activations X (N×D) and labels y (N).

        Args:
            X: Activations.
            y: Labels.
            validation: Other activations and their labels, to choose parameters on.
            transition: Passed on to a decoder that takes it.
            neighbors: Passed on, likewise.
        """
        needs = {"transition": transition, "neighbors": neighbors}
        return self._choose("fit", (X, y), validation, needs)

    @available_if(from_moments)  # type: ignore[untyped-decorator]
    def fit_moments(self, moments: Any, validation: Any = None, transition: Any = None) -> Self:
        """Fit on the moments of each class."""
        return self._choose("fit_moments", (moments,), validation, {"transition": transition})

    def _choose(self, method: str, data: tuple[Any, ...], validation: Any, needs: Any) -> Self:
        best, best_accuracy, reason = None, -1.0, NotApplicable("the grid is empty")
        for chosen in [{}] if validation is None else ParameterGrid(self.grid):
            decoder = clone(self.estimator).set_params(**chosen)
            fit = getattr(decoder, method)
            try:
                fit(*data, **taken(fit, needs))
            except NotApplicable as error:
                reason = error
                continue
            accuracy = 0.0 if validation is None else _accuracy(decoder, *validation)
            if accuracy > best_accuracy:
                best, best_accuracy, self.chosen_ = decoder, accuracy, chosen
        if best is None:
            raise reason
        return self._take(best)


def _accuracy(decoder: Any, X: Any, labels: Any) -> float:
    return float(np.mean(decoder.predict(X) == np.asarray(labels)))
