"""Ridge regression on the units of all layers of a network at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

from memgen_bench.toolkit.decoders import as_tensor, blocks
from memgen_plugins.decoders.base.argmax import not_zero

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt


class SelectedUnits(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped base
    """Ridge regression on those units of all layers that another ridge regression gives weight.

    Units are standardised, and divided by the root of their layer's width and of the number of
    layers, so that a layer counts the same however wide it is. A ridge regression on all of them
    to ±1 for each class tells how relevant each unit is: by the length of its K weights. The
    most relevant fraction is kept, and the regression repeated on that alone. First the penalty
    of the regression on all units, then the fraction at that penalty are chosen on noisy
    validation labels; ties go to the earlier one, and without them both are the first.

    Args:
        alphas: Penalties to try, each against a sum over points.
        fractions: Fractions of all units to try, rounded up.

    Attributes:
        classes_: The classes seen, ascending.
        relevance_: The relevance of each unit, by layer, float64.
        kept_: Whether each unit was kept, by layer.
        chosen_: The penalty and the fraction.

    Cost:
        A solution of size s = min(N, D) for each penalty and fraction, D being the units of all
        layers: fit 2NDs + s³/3 FLOPs each, predict 2MDK.

    References:
        Head2Toe: Evci, Dumoulin, Larochelle & Mozer 2022, arXiv 2201.03529, there with a group
        lasso where ridge regression is here, on means over parts of maps, and scaled by length.
    """

    def __init__(
        self,
        alphas: Sequence[float] = (1.0, 0.1, 10.0, 100.0),
        fractions: Sequence[float] = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02),
    ) -> None:
        self.alphas = alphas
        self.fractions = fractions

    def fit(self, X: Mapping[str, Any], y: Any, validation: Any = None) -> Self:
        """Fit on the activations X of each layer (N×D each) and labels y (N)."""
        self.classes_, index = np.unique(np.asarray(y), return_inverse=True)
        self._scales = {layer: moments(as_tensor(points)) for layer, points in X.items()}
        units = self._units(X)
        self._held = None if validation is None else (self._units(validation[0]), validation[1])
        targets = signs(index, len(self.classes_)).to(units.device)
        self._offset = targets.mean(dim=0)
        every = torch.arange(units.shape[1], device=units.device)
        self._try(units, targets, [(alpha, every) for alpha in self.alphas])
        alpha, relevance = self._alpha, torch.linalg.vector_norm(self._coef, dim=1)
        order = relevance.argsort(descending=True, stable=True)
        counts = [int(np.ceil(fraction * len(order))) for fraction in self.fractions]
        chosen = self._try(units, targets, [(alpha, order[:n].sort().values) for n in counts])
        self.chosen_ = {"alpha": alpha, "fraction": self.fractions[chosen]}
        self.relevance_ = self._by_layer(relevance)
        self.kept_ = self._by_layer(torch.isin(every, self._kept))
        del self._held
        return self

    def _try(
        self,
        units: torch.Tensor,
        targets: torch.Tensor,
        choices: Sequence[tuple[float, torch.Tensor]],
    ) -> int:
        """Keep the best of several penalties and units to keep, and return which it is."""
        best, found = -1.0, 0
        for place, (alpha, kept) in enumerate(choices if self._held else choices[:1]):
            coef = ridge(units[:, kept], targets - self._offset, alpha)
            accuracy = 0.0
            if self._held:
                held, labels = self._held
                accuracy = float(np.mean(self._read(held, kept, coef) == np.asarray(labels)))
            if accuracy > best:
                best, found = accuracy, place
                self._alpha, self._kept, self._coef = alpha, kept, coef
        return found

    def _units(self, X: Mapping[str, Any]) -> torch.Tensor:
        """Return the scaled units of all layers beside each other, N×D, float32."""
        scaled = []
        for layer, (mean, scale) in self._scales.items():
            root = (len(mean) * len(self._scales)) ** 0.5
            parts = [
                ((b.double() - mean) / (scale * root)).float() for b in blocks(as_tensor(X[layer]))
            ]
            scaled.append(torch.cat(parts))
        return torch.cat(scaled, dim=1)

    def _by_layer(self, values: torch.Tensor) -> dict[str, npt.NDArray[Any]]:
        widths = [len(mean) for mean, _ in self._scales.values()]
        parts = np.split(values.cpu().numpy(), np.cumsum(widths)[:-1])
        return dict(zip(self._scales, parts, strict=True))

    def _read(self, units: torch.Tensor, kept: torch.Tensor, coef: torch.Tensor) -> Any:
        scores = units[:, kept].double() @ coef + self._offset
        return self.classes_[scores.argmax(dim=1).cpu().numpy()]

    def predict(self, X: Mapping[str, Any]) -> npt.NDArray[Any]:
        """Return the class with the highest score, for each point."""
        labels: npt.NDArray[Any] = self._read(self._units(X), self._kept, self._coef)
        return labels


def moments(X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean and the standard deviation of each column, float64; 1 where it is 0."""
    mean = torch.stack([b.sum(dim=0, dtype=torch.float64) for b in blocks(X)]).sum(dim=0) / len(X)
    squares = torch.stack([(b.double() - mean).square().sum(dim=0) for b in blocks(X)])
    return mean, not_zero((squares.sum(dim=0) / len(X)).sqrt(), mean)


def signs(index: npt.NDArray[np.int64], classes: int) -> torch.Tensor:
    """Return 1 for each point's own class and -1 for the others, N×K, float64."""
    return torch.from_numpy(2.0 * (index[:, None] == np.arange(classes)) - 1)


def ridge(Z: torch.Tensor, targets: torch.Tensor, alpha: float) -> torch.Tensor:
    """Return the weights W, D×K, that minimise ‖ZW − T‖² + α‖W‖², in float64.

    Args:
        Z: Points, N×D, float32.
        targets: T, N×K, float64.
        alpha: α.
    """
    back = Z.double().T
    if Z.shape[1] > len(Z):
        found = back @ _solved((Z @ Z.T).double(), targets, alpha)
    else:
        gram = torch.zeros(len(back), len(back), dtype=torch.float64, device=Z.device)
        for block in blocks(Z):
            gram += block.T @ block
        found = _solved(gram, back @ targets, alpha)
    return found


def _solved(gram: torch.Tensor, right: torch.Tensor, alpha: float) -> torch.Tensor:
    gram.diagonal().add_(alpha)
    found: torch.Tensor = torch.linalg.solve(gram, right)
    return found
