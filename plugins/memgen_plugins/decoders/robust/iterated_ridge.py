"""Ridge regression on labels that it predicts for points which it did not see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch.nn import functional

from memgen_bench.toolkit.decoders import as_tensor, eigh64
from memgen_plugins.decoders.base.argmax import LinearScores
from memgen_plugins.decoders.base.cross_fitting import by_best_on_others
from memgen_plugins.decoders.base.ranges import COUNT
from memgen_plugins.decoders.layer.linear import standardised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

_ROUNDING = 1e-7  # of the largest eigenvalue
_LEAST = 1e-6  # of what a point leaves to the others: less is rounding, which may be below 0


class IteratedRidge(LinearScores):
    """Ridge regression, fitted again and again on its own leave-one-out labels.

    Each round is fitted on the labels that the round before predicts for each training point
    without that point, so that a wrong label cannot confirm itself; the first round on the given
    ones. Rounds end where no label changes any more, or after `rounds`. Of all penalties and rounds
    the ones that are most accurate on noisy validation labels are kept, of equals the earliest;
    without them, the last round of the first penalty.

    Where a network's activations carry the given labels linearly, other points tell the
    wrong label, too, and nothing is mended.

    Args:
        alphas: Penalties to try, each against a sum over points.
        rounds: The most rounds.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64, for features before standardisation.
        intercept_: K, float64.
        chosen_: The penalty, and the kept round, from 1.
        validation_predictions_: The label of each validation point, by the penalty and round that
            are best on the other folds; None without validation points.

    Cost:
        One eigenproblem, 2ND² + 10D³ FLOPs (N and D swapped where points are few), and for each
        penalty and round 2(N + V)DK for V validation points; predict 2MDK.

    References:
        Allen 1974 (leave-one-out residuals of ridge regression in closed form); Yarowsky 1995
        (self-training); Tanaka et al. 2018, arXiv 1803.11364 (relabelling).
    """

    _parameter_constraints: ClassVar = {"rounds": COUNT}
    validation_predictions_: npt.NDArray[np.int64] | None

    def __init__(
        self, alphas: Sequence[float] = (10.0, 100.0, 1000.0, 10000.0), rounds: int = 20
    ) -> None:
        self.alphas = alphas
        self.rounds = rounds

    def fit(self, X: Any, y: Any, validation: Any = None) -> Self:
        """Fit on activations X (N×D) and labels y (N).

        Raises:
            ValueError: `rounds` is below 1, a penalty is not above 0, or an array is unusable.
            FloatingPointError: A validation point is not finite.
        """
        if not all(0 < alpha < np.inf for alpha in self.alphas) or not len(self.alphas):
            raise ValueError(f"alphas: {self.alphas!r}; give at least one, each above 0 and finite")
        points, index = self._start(X, y)
        Z, mean, scale = standardised(points)
        axes, values = _axes(Z)
        given = torch.from_numpy(index).to(Z.device)
        rotated, classes = Z @ axes.float(), len(self.classes_)
        best, held = -1.0, []
        if validation is not None:
            held_x = ((as_tensor(validation[0]).double() - mean) / scale) @ axes
            if not bool(torch.isfinite(held_x).all()):
                raise FloatingPointError("a validation point is not finite")
        for alpha in self.alphas if validation is not None else self.alphas[:1]:
            rounds = _rounds(rotated, values, given, alpha, classes)
            for count, fitted in zip(range(1, self.rounds + 1), rounds, strict=False):
                accuracy = float(count)
                if validation is not None:
                    scores = held_x @ fitted.weights + fitted.intercept
                    held.append(self.classes_[scores.argmax(dim=1).cpu().numpy()])
                    accuracy = float(np.mean(held[-1] == np.asarray(validation[1])))
                if accuracy > best:
                    best, kept = accuracy, fitted
                    self.chosen_ = {"alpha": alpha, "rounds": count}
        self.validation_predictions_ = by_best_on_others(held, validation[1]) if held else None
        coef = (axes @ kept.weights).T / scale
        self._set(coef, kept.intercept - coef @ mean)
        return self


class _Fitted(NamedTuple):
    """Weights on rotated features, r×K, and intercepts, K; float64."""

    weights: torch.Tensor
    intercept: torch.Tensor


def _axes(Z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the principal axes of standardised points, D×r, and their sums of squares, r."""
    wide = Z.shape[1] > Z.shape[0]
    values, vectors = eigh64((Z @ Z.T if wide else Z.T @ Z).double())
    kept = values > _ROUNDING * values[-1].clamp(min=1e-30)
    values, vectors = values[kept], vectors[:, kept]
    return (Z.T.double() @ vectors / values.sqrt() if wide else vectors), values


def _rounds(
    rotated: torch.Tensor, values: torch.Tensor, given: torch.Tensor, alpha: float, classes: int
) -> Iterator[_Fitted]:
    """Yield one round after the other, until the labels stay.

    Args:
        rotated: Training points on their principal axes, N×r.
        values: Sums of squares along these axes, r.
        given: Classes of the points, N.
        alpha: The penalty.
        classes: K.
    """
    shrunk, labels = 1 / (values + alpha), given
    leverage = rotated.square() @ shrunk.float() + 1 / len(given)
    left = (1 - leverage).clamp(min=_LEAST)
    while True:
        targets = functional.one_hot(labels, classes).float()
        intercept = targets.mean(dim=0)
        weights = shrunk[:, None] * (rotated.T @ targets).double()
        yield _Fitted(weights, intercept.double())
        fitted = rotated @ weights.float() + intercept
        without = (fitted - leverage[:, None] * targets) / left[:, None]
        found = without.argmax(dim=1)
        if bool((found == labels).all()):
            return
        labels = found
