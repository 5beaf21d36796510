"""Decoders that read all layers of a network at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone

from memgen_bench.toolkit.decoders import taken

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Scores = npt.NDArray[np.float64]

_PENALTY = 1e-3  # on squared weights: without it layers that agree have no best weights


class LayerEnsemble(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """One decoder on each layer, their log-probabilities added up with a weight for each layer.

    The scores of a layer, in units of their standard deviation on validation points, get the
    weights w ≥ 0 that make the noisy validation labels likeliest under softmax(Σ_l w_l s_l):
    together they calibrate the layers and say how much each of them counts. Without validation
    points all layers count the same.

    Args:
        estimator: The decoder of a layer; needs scikit-learn's `decision_function`.

    Attributes:
        classes_: The classes seen, ascending.
        estimators_: The fitted decoder of each layer, by name.
        scales_: The divisor of each layer's scores, by name.
        chosen_: The weight of each layer, by name.

    Cost:
        The decoder's own on every layer.

    References:
        Lee, Yun, Lee, Lee & Shin 2019, arXiv 1901.11300 (weights of layers from noisy validation);
        Genest & Zidek 1986 (the logarithmic pool).
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Mapping[str, Any], y: Any, validation: Any = None) -> Self:
        """Fit on the activations X of each layer (N×D each) and labels y (N)."""
        held, labels = validation or (dict.fromkeys(X), None)
        self.estimators_ = {name: self._fit(X[name], y, held[name], labels) for name in X}
        self.classes_ = next(iter(self.estimators_.values())).classes_
        self.scales_, self.chosen_ = dict.fromkeys(X, 1.0), dict.fromkeys(X, 1.0)
        if validation is not None:
            self._weigh(held, np.asarray(labels))
        return self

    def _fit(self, X: Any, y: Any, held: Any, labels: Any) -> Any:
        decoder = clone(self.estimator)
        needs = {} if labels is None else {"validation": (held, labels)}
        return decoder.fit(X, y, **taken(decoder.fit, needs))

    def _weigh(self, X: Mapping[str, Any], labels: npt.NDArray[np.int64]) -> None:
        """Set scales and weights."""
        scores = {name: self._scores(name, matrix) for name, matrix in X.items()}
        self.scales_ = {name: max(float(of.std()), 1e-30) for name, of in scores.items()}
        stacked = np.stack([of / self.scales_[name] for name, of in scores.items()])
        known = np.isin(labels, self.classes_)  # other classes have no probability
        place = np.searchsorted(self.classes_, labels[known])
        weights = pool(stacked[:, known], place)
        self.chosen_ = {name: round(float(w), 4) for name, w in zip(X, weights, strict=True)}

    def _scores(self, name: str, X: Any) -> Scores:
        """Return a layer's scores, N×K, whose mean over the classes is 0."""
        scores = np.asarray(self.estimators_[name].decision_function(X), np.float64)
        if scores.ndim == 1:  # of two classes, the difference
            scores = np.stack([np.zeros_like(scores), scores], axis=1)
        centred: Scores = scores - scores.mean(axis=1, keepdims=True)
        return centred

    def decision_function(self, X: Mapping[str, Any]) -> Scores:
        """Return the pooled score of each point and class, N×K."""
        weighted = [
            self._scores(name, matrix) * (self.chosen_[name] / self.scales_[name])
            for name, matrix in X.items()
        ]
        pooled: Scores = np.stack(weighted).sum(axis=0)
        return pooled

    def predict(self, X: Mapping[str, Any]) -> npt.NDArray[Any]:
        """Return the class with the highest score, for each point."""
        labels: npt.NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return labels


def pool(scores: Scores, labels: npt.NDArray[np.int64]) -> Scores:
    """Return the weights w ≥ 0 (L) with which the pooled scores make the labels likeliest.

    Args:
        scores: L×N×K.
        labels: Each point's class, N.
    """
    rows = np.arange(len(labels))
    own = scores[:, rows, labels]

    def loss(weights: Scores) -> tuple[float, Scores]:
        pooled = np.tensordot(weights, scores, axes=1)
        likelihood = log_softmax(pooled, axis=1)[rows, labels].mean()
        expected = (scores * softmax(pooled, axis=1)).sum(axis=2)
        slope = (expected - own).mean(axis=1) + _PENALTY * weights
        return float(_PENALTY * (weights @ weights) / 2 - likelihood), slope

    first = np.full(len(scores), 1 / len(scores))
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(scores))
    weights: Scores = found.x
    return weights
