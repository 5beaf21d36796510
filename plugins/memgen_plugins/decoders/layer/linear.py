"""Linear decoders on standardised activations: logistic regression, support vectors, ridge."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch.nn import functional

from memgen_bench.toolkit.decoders import Scratch, as_tensor, blocks, eigh64
from memgen_plugins.decoders.base.argmax import LinearScores, MomentClassifier, not_zero
from memgen_plugins.decoders.base.ranges import POSITIVE, SWITCH
from memgen_plugins.decoders.base.triangular import solved

if TYPE_CHECKING:
    from memgen_bench.toolkit.decoders import Moments

_MAX_ITERATIONS = 1000
_WIDEST_CHANGE = 1024
_GRADIENT = 1e-5  # the largest element of the gradient of the mean loss where a search ends


class _Penalised(LinearScores):
    """A linear classifier on standardised features that minimises a mean loss plus a penalty.

    The search is L-BFGS in float64 over sums of float32 products, until the largest element of
    the gradient is at most 1e-5.

    Args:
        C: Weight of a point's loss against the penalty, as in scikit-learn: the mean loss has the
            penalty ‖W‖² / 2CN, so that C·N decides, and one C is a weaker penalty for more points.
        warm_start: Begin the next search where the last one ended.
    """

    _penalises_intercept: bool
    _curvature: float

    _parameter_constraints: ClassVar = {"C": POSITIVE, "warm_start": SWITCH}

    def __init__(self, C: float = 1e-3, warm_start: bool = False) -> None:
        self.C = C
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on activations X (N×D) and labels y (N).

        Raises:
            ValueError: C is not positive, or an array is unusable.
        """
        X, index = self._start(X, y)
        Z, mean, scale = standardised(X)
        targets = torch.from_numpy(index).to(Z.device)
        weights = self._search(Z, targets)
        self._weights = weights.cpu().numpy()
        coef = weights[:, :-1] / scale
        self._set(coef, weights[:, -1] - coef @ mean)
        return self

    def _search(self, Z: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the best weights, K×(D+1), the intercept last."""
        penalty = torch.full((Z.shape[1] + 1,), 1 / (self.C * len(Z)), dtype=torch.float64)
        penalty[-1] *= self._penalises_intercept
        penalty = penalty.to(Z.device)
        change = _Change(Z, self._curvature, float(penalty[0]))
        unknown = change.unknown(self._first(Z)).requires_grad_()
        optimizer = torch.optim.LBFGS(
            [unknown, *self._beside()],
            max_iter=_MAX_ITERATIONS,
            tolerance_grad=_GRADIENT,
            tolerance_change=1e-12,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def closure() -> float:
            weights = change.weights(unknown.detach())
            loss, gradient = self._loss(Z, targets, weights)
            unknown.grad = change.gradient(gradient + penalty * weights)
            return float(loss + (penalty * weights.square()).sum() / 2)

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return change.weights(unknown.detach())

    def _beside(self) -> list[torch.Tensor]:
        """Return unknowns that are found together with the weights; `_loss` sets their `grad`."""
        return []

    def _first(self, Z: torch.Tensor) -> torch.Tensor:
        """Return the weights to begin with."""
        shape = (len(self.classes_), Z.shape[1] + 1)
        if self.warm_start and getattr(self, "_weights", np.empty(0)).shape == shape:
            return as_tensor(self._weights).to(Z.device)
        return torch.zeros(shape, dtype=torch.float64, device=Z.device)

    def _loss(
        self, Z: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss and its gradient."""
        total = torch.zeros((), dtype=torch.float64, device=Z.device)
        gradient = torch.zeros_like(weights)
        flat, offset = weights[:, :-1].float().T, weights[:, -1].float()
        start = 0
        for block in blocks(Z):
            scores = torch.addmm(offset, block, flat)
            loss, slope = self._block(scores, targets[start : start + len(block)])
            total += loss
            gradient[:, :-1] += (slope.T @ block).double()
            gradient[:, -1] += slope.sum(dim=0, dtype=torch.float64)
            start += len(block)
        return total / len(Z), gradient / len(Z)

    @staticmethod
    @abstractmethod
    def _block(scores: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the summed loss of some points, and its derivative by their scores, N×K."""


def standardised(X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return X with mean 0 and variance 1 in each column (float32), its means and its scales."""
    count = len(X)
    mean = sum(b.sum(dim=0, dtype=torch.float64) for b in blocks(X)) / count
    assert isinstance(mean, torch.Tensor)
    squares = [(b.double() - mean).square().sum(dim=0) for b in blocks(X)]
    scale = (torch.stack(squares).sum(dim=0) / count).sqrt()
    scale = not_zero(scale, mean)
    if X.is_cpu:
        Z = as_tensor(Scratch().empty(tuple(X.shape)))
    else:
        Z = torch.empty(X.shape, device=X.device)
    start = 0
    for block in blocks(X):
        Z[start : start + len(block)] = (block.double() - mean) / scale
        start += len(block)
    return Z, mean, scale


class _Change:
    """A change of variables in which the loss is about equally curved in all directions.

    Weights are W = V Rᵀ, where R Rᵀ is the inverse of a bound on the Hessian, c·ZᵀZ/N + λ. With
    many features that costs more than it saves; then V = W.

    Args:
        Z: Standardised features, N×D.
        curvature: c, the second derivative of the loss by a score.
        penalty: λ.
    """

    def __init__(self, Z: torch.Tensor, curvature: float, penalty: float) -> None:
        self._root: torch.Tensor | None = None
        if Z.shape[1] > _WIDEST_CHANGE:
            return
        gram = sum((block.T @ block).double() for block in blocks(Z)) / len(Z)
        assert isinstance(gram, torch.Tensor)
        values, vectors = eigh64(gram)
        self._sizes = (curvature * values.clamp(min=0) + penalty).sqrt()
        self._root = vectors / self._sizes

    def weights(self, unknown: torch.Tensor) -> torch.Tensor:
        """Return W of V; both K×(D+1), the intercept last and as it is."""
        return unknown if self._root is None else _front(unknown, self._root.T)

    def unknown(self, weights: torch.Tensor) -> torch.Tensor:
        """Return V of W, as a copy."""
        if self._root is None:
            return weights.clone()
        return _front(weights, self._root * self._sizes.square())

    def gradient(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return the derivative by V, given the derivative by W."""
        return gradient if self._root is None else _front(gradient, self._root)


def _front(matrix: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Multiply all columns but the last."""
    return torch.cat([matrix[:, :-1] @ factor, matrix[:, -1:]], dim=1)


class LogisticRegression(_Penalised):
    """Softmax regression on standardised features, C Σ loss + ‖W‖²/2, the intercept free.

    Args:
        C: Weight of each point's loss; C·N decides how much weights are shrunk.
        warm_start: Begin the next search where the last one ended.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64, for features before standardisation.
        intercept_: K, float64.

    Cost:
        Fit 4NDK FLOPs a step, predict 2MDK.

    References:
        Alain & Bengio 2016, arXiv 1610.01644 (linear probes). The optimum is that of
        scikit-learn's `LogisticRegression` behind a `StandardScaler`; for two classes, which have
        two vectors here and one there, it is that at 2C.
    """

    _penalises_intercept = False
    _curvature = 0.1

    @staticmethod
    def _block(scores: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loss = functional.cross_entropy(scores, targets, reduction="none").sum(dtype=torch.float64)
        slope = scores.softmax(dim=1)
        slope[torch.arange(len(targets), device=targets.device), targets] -= 1
        return loss, slope


class LinearSVM(_Penalised):
    """Linear support vector machine on standardised features, one class against the rest.

    The loss is the squared hinge, C Σ max(0, 1 ∓ score)² + ‖w‖²/2 for each class; the intercept
    is penalised as a weight, as in scikit-learn's `LinearSVC`, whose optimum this is.

    Args:
        C: Weight of each point's loss; C·N decides how much weights are shrunk.
        warm_start: Begin the next search where the last one ended.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64, for features before standardisation.
        intercept_: K, float64.

    Cost:
        Fit 4NDK FLOPs a step, predict 2MDK.

    References:
        Cortes & Vapnik 1995; Fan et al. 2008 (LIBLINEAR).
    """

    _penalises_intercept = True
    _curvature = 2.0

    @staticmethod
    def _block(scores: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        side = torch.full_like(scores, -1.0)
        side[torch.arange(len(targets), device=targets.device), targets] = 1.0
        short = (1 - side * scores).clamp_(min=0)
        return short.square().sum(dtype=torch.float64), -2 * side * short


class Ridge(LinearScores, MomentClassifier):
    """Least squares from standardised features to ±1 for each class, with a penalty α‖w‖².

    Args:
        alpha: Weight of the penalty against a sum over points; α / N decides how much weights are
            shrunk.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64, for features before standardisation.
        intercept_: K, float64.

    Cost:
        Fit 2ND² + D³/3 FLOPs, predict 2MDK.

    References:
        Hoerl & Kennard 1970. scikit-learn's `RidgeClassifier` behind a `StandardScaler` decides
        the same.
    """

    _parameter_constraints: ClassVar = {"alpha": POSITIVE}

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def _fit(self, moments: Moments) -> None:
        mean, counts = moments.mean(), moments.counts.double()
        if (few := moments.few_points()) is not None:
            coef = self._of_few(moments, few[1])
        else:
            scatter, scale = moments.shared("standardised scatter", partial(_scatter, moments))
            penalised = scatter.clone()
            penalised.diagonal().add_(self.alpha)
            products = 2 * counts[:, None] * (moments.means - mean) / scale
            coef = solved(penalised, products.T).T / scale
        self._set(coef, 2 * counts / counts.sum() - 1 - coef @ mean)

    def _of_few(self, moments: Moments, classes: torch.Tensor) -> torch.Tensor:
        """Return the coefficients from products of the points, which are few for their width."""
        Z, scale, gram = moments.shared("standardised points", partial(_few_standardised, moments))
        penalised = gram.clone()
        penalised.diagonal().add_(self.alpha)
        targets = 2 * functional.one_hot(classes, len(moments.classes)).double()
        return (solved(penalised, targets).T @ Z) / scale


def _scatter(moments: Moments) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scatter of standardised features, D×D, and their scales."""
    scatter = moments.total()
    scale = (scatter.diagonal().clamp(min=0) / moments.counts.sum()).sqrt()
    scale = not_zero(scale, moments.mean())
    return scatter / torch.outer(scale, scale), scale


def _few_standardised(moments: Moments) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the standardised features of few points, N×D, their scales, and products, N×N."""
    few = moments.few_points()
    assert few is not None  # asked for only where they are few
    mean = moments.mean()
    shifted = few[0] - mean
    scale = not_zero((shifted.square().sum(dim=0) / len(shifted)).sqrt(), mean)
    Z = shifted / scale
    return Z, scale, Z @ Z.T
