"""Predictions of validation points by what was chosen, or fitted, on the labels of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

_FOLDS = 5


def folds(count: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield for each fold of validation points which of them are in it: every fifth one."""
    for fold in range(min(_FOLDS, count)):
        yield np.arange(count) % _FOLDS == fold


def by_best_on_others(candidates: Sequence[npt.NDArray[Any]], labels: Any) -> npt.NDArray[Any]:
    """Return each point's prediction by the candidate that is best on the other folds.

    Args:
        candidates: The predictions of each candidate, N; of equals the first is the best.
        labels: Noisy validation labels, N.
    """
    predictions = np.stack(candidates)
    right = predictions == np.asarray(labels)
    found: npt.NDArray[Any] = np.empty_like(predictions[0])
    for fold in folds(len(labels)):
        found[fold] = predictions[right[:, ~fold].sum(axis=1).argmax(), fold]
    return found
