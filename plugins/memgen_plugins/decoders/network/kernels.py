"""Ridge regression on a sum of kernels, one for each layer of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

from memgen_bench import NotApplicable
from memgen_bench.toolkit.decoders import as_tensor
from memgen_plugins.decoders.base.nonnegative import nonnegative_weights
from memgen_plugins.decoders.base.ranges import POSITIVE
from memgen_plugins.decoders.network.joint import moments, signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_MOST = 12_000  # points: the kernel of more, and its factor, take gigabytes
_ROWS = 1024  # of a kernel that are computed at a time


class KernelSum(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped base
    """Kernel ridge regression on Σ_l w_l k_l with a kernel and a weight for each layer.

    A layer's kernel is Gaussian on standardised units, exp(−d²/v²d̄²), where d̄² is the mean of
    squared distances between training points. The weights w ≥ 0 are those with which the sum of
    kernels agrees best with whether noisy validation labels are equal: the cosine between both, as
    matrices with centred rows and columns, is largest. No point is compared with itself, as its
    label agrees with itself whatever the noise is. The penalty of the regression to ±1 for each
    class is chosen on noisy validation labels, too; ties go to the earlier one. Without them, or
    where no layer agrees with them, all layers weigh the same.

    Args:
        alphas: Penalties to try, each against a sum over points.
        width: v, the width of the kernels.

    Attributes:
        classes_: The classes seen, ascending.
        weights_: The weight of each layer; they add up to 1.
        chosen_: The penalty and the weights above 0.

    Cost:
        Fit 2N²D FLOPs for the D units of all layers, and N³/3 for each penalty; predict 2MND.

    References:
        Weights of kernels: Cortes, Mohri & Rostamizadeh 2012, arXiv 1203.0550 (alignf). The
        regression: Saunders, Gammerman & Vovk 1998.
    """

    _parameter_constraints: ClassVar = {"alphas": ["array-like"], "width": POSITIVE}

    def __init__(
        self, alphas: Sequence[float] = (1.0, 0.1, 10.0, 100.0), width: float = 1.0
    ) -> None:
        self.alphas = alphas
        self.width = width

    def fit(self, X: Mapping[str, Any], y: Any, validation: Any = None) -> Self:
        """Fit on the activations X of each layer (N×D each) and labels y (N).

        Raises:
            NotApplicable: There are too many points for their kernel.
            ValueError: `width` is not positive.
        """
        self._validate_params()
        labels = np.asarray(y)
        if len(labels) > _MOST:
            raise NotApplicable(f"the kernel of {len(labels)} points, more than {_MOST}, is large")
        self.classes_, index = np.unique(labels, return_inverse=True)
        self._layers = {name: _Gaussian(points, self.width) for name, points in X.items()}
        self.weights_ = dict.fromkeys(X, 1 / len(X))
        if validation is not None:
            self._weigh(*validation)
        among = torch.cat(list(self._kernels(X)))
        targets = signs(index, len(self.classes_)).to(among.device)
        self._offset = targets.mean(dim=0)
        held, best = None if validation is None else list(self._kernels(validation[0])), -1.0
        for alpha in self.alphas if held else self.alphas[:1]:
            dual = _solved(among, targets - self._offset, alpha)
            accuracy = 0.0
            if held:
                accuracy = float(np.mean(self._read(held, dual) == np.asarray(validation[1])))
            if accuracy > best:
                best, self._dual, chosen = accuracy, dual, alpha
        used = {name: round(weight, 4) for name, weight in self.weights_.items() if weight}
        self.chosen_ = {"alpha": chosen, **used}
        return self

    def _weigh(self, X: Mapping[str, Any], labels: Any) -> None:
        """Set the weights that agree best with labels; as they are where none does."""
        given = np.asarray(labels)
        equal = _compared((given[:, None] == given).astype(np.float64))
        kernels = [
            _compared(kernel(as_tensor(X[name]), as_tensor(X[name])).cpu().numpy())
            for name, kernel in self._layers.items()
        ]
        sizes = [max(float(np.linalg.norm(kernel)), 1e-30) for kernel in kernels]
        stacked = np.stack([k.ravel() / size for k, size in zip(kernels, sizes, strict=True)])
        aim = stacked @ (equal.ravel() / max(float(np.linalg.norm(equal)), 1e-30))
        weights = nonnegative_weights(stacked @ stacked.T, aim) / sizes
        if weights.sum() > 0:
            shares = (weights / weights.sum()).tolist()
            self.weights_ = dict(zip(self._layers, shares, strict=True))

    def _kernels(self, X: Mapping[str, Any]) -> Iterator[torch.Tensor]:
        """Yield the weighted kernel of points with the training points, some rows at a time."""
        points = {name: as_tensor(X[name]) for name, weight in self.weights_.items() if weight}
        for start in range(0, len(next(iter(points.values()))), _ROWS):
            rows = slice(start, start + _ROWS)
            parts = [
                self.weights_[name] * self._layers[name](points[name][rows]) for name in points
            ]
            yield torch.stack(parts).sum(dim=0)

    def _read(self, kernels: Iterable[torch.Tensor], dual: torch.Tensor) -> npt.NDArray[Any]:
        """Return labels by the kernel of points with the training points."""
        parts = [(kernel @ dual + self._offset).argmax(dim=1).cpu() for kernel in kernels]
        labels: npt.NDArray[Any] = self.classes_[torch.cat(parts).numpy()]
        return labels

    def predict(self, X: Mapping[str, Any]) -> npt.NDArray[Any]:
        """Return the class with the highest score, for each point."""
        return self._read(self._kernels(X), self._dual)


class _Gaussian:
    """The kernel of a layer, exp(−d²/v²d̄²).

    Args:
        points: Training points, N×D.
        width: v.
    """

    def __init__(self, points: Any, width: float) -> None:
        self._points = as_tensor(points)
        self._mean, self._scale = moments(self._points)
        distance = 2 * float(self._units(self._points).square().sum()) / len(self._points)
        self._rate = 1 / (width**2 * distance) if distance else 1.0

    def __call__(self, X: torch.Tensor, others: torch.Tensor | None = None) -> torch.Tensor:
        """Return the kernel of points with others, by default the training points, float64."""
        left, right = self._units(X), self._units(self._points if others is None else others)
        lengths = left.square().sum(dim=1)[:, None] + right.square().sum(dim=1)
        squares = lengths - 2 * left @ right.T
        return squares.clamp_(min=0).mul_(-self._rate).exp_()

    def _units(self, X: torch.Tensor) -> torch.Tensor:
        return (X.double() - self._mean) / self._scale


def _compared(kernel: Floats) -> Floats:
    """Return a kernel with centred rows and columns, and 0 for each point with itself."""
    centred: Floats = (
        kernel - kernel.mean(axis=0) - kernel.mean(axis=1, keepdims=True) + kernel.mean()
    )
    np.fill_diagonal(centred, 0)
    return centred


def _solved(among: torch.Tensor, targets: torch.Tensor, alpha: float) -> torch.Tensor:
    """Return the weight of each training point, N×K."""
    shifted = among.clone()
    shifted.diagonal().add_(alpha)
    return torch.cholesky_solve(targets, torch.linalg.cholesky(shifted))
