"""Decoders that read all layers of a network at once."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from memgen_plugins.decoders.base.cross_fitting import folds
from memgen_plugins.decoders.network.members import OfLayers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Scores = npt.NDArray[np.float64]

_NOISIEST = 0.95  # of a rate that is estimated: at 1 labels say nothing
_PENALTY = 1e-3  # on squared weights: without it layers that agree have no best weights


class _Pooled(OfLayers):
    """Fitted decoders whose scores are added up with a weight each.

    Attributes:
        classes_: The classes seen, ascending.
        estimators_: The fitted decoders, by name.
        scales_: The divisor of each one's scores, by name.
        weights_: The weight of each, by name.
        rate_: The shuffle rate that was estimated together with the weights; 0 where none was.
        validation_predictions_: The label of each validation point, by weights that were fitted
            on the other folds; None without validation points.
    """

    rate_: float
    validation_predictions_: npt.NDArray[np.int64] | None

    def _take(self, members: dict[str, tuple[str, Any]], validation: Any) -> None:
        """Keep fitted decoders of layers, and weigh them; without validation all count the same."""
        self._layers = {name: layer for name, (layer, _) in members.items()}
        self.estimators_ = {name: fitted for name, (_, fitted) in members.items()}
        self.scales_, self.weights_ = dict.fromkeys(members, 1.0), dict.fromkeys(members, 1.0)
        self.rate_, self.validation_predictions_ = 0.0, None
        if validation is not None:
            self._weigh(validation[0], np.asarray(validation[1]))

    def _weigh(self, X: Mapping[str, Any], labels: npt.NDArray[np.int64]) -> None:
        """Set scales, weights and the predictions of validation points."""
        scores = {name: self._scores(name, X) for name in self.estimators_}
        self.scales_ = {name: max(float(of.std()), 1e-30) for name, of in scores.items()}
        stacked = np.stack([of / self.scales_[name] for name, of in scores.items()])
        weights, self.rate_ = self._weights(stacked, labels)
        self.weights_ = {name: round(float(w), 4) for name, w in zip(scores, weights, strict=True)}
        predicted = np.empty(len(labels), np.int64)
        for fold in folds(len(labels)):
            of_others, _ = self._weights(stacked[:, ~fold], labels[~fold])
            pooled = np.tensordot(of_others, stacked[:, fold], axes=1)
            predicted[fold] = self.classes_[pooled.argmax(axis=1)]
        self.validation_predictions_ = predicted

    def _weights(self, scores: Scores, labels: npt.NDArray[np.int64]) -> tuple[Scores, float]:
        """Return weights and rate by the points whose classes are known; all 1 if none is."""
        known = np.isin(labels, self.classes_)  # other classes have no probability
        if not known.any():
            return np.ones(len(scores)), 0.0
        return self._pool(scores[:, known], np.searchsorted(self.classes_, labels[known]))

    @abstractmethod
    def _pool(self, scores: Scores, labels: npt.NDArray[np.int64]) -> tuple[Scores, float]:
        """Return each decoder's weight (L), and a rate, from scores (L×N×K) and labels (N)."""

    def _scores(self, name: str, X: Mapping[str, Any]) -> Scores:
        """Return a decoder's scores, N×K, whose mean over the classes is 0."""
        points = X[self._layers[name]]
        scores = np.asarray(self.estimators_[name].decision_function(points), np.float64)
        if scores.ndim == 1:  # of two classes, the difference
            scores = np.stack([np.zeros_like(scores), scores], axis=1)
        centred: Scores = scores - scores.mean(axis=1, keepdims=True)
        return centred

    def decision_function(self, X: Mapping[str, Any]) -> Scores:
        """Return the pooled score of each point and class, N×K."""
        pooled = np.zeros((len(next(iter(X.values()))), len(self.classes_)))
        for name, weight in self.weights_.items():
            if weight:
                pooled += self._scores(name, X) * (weight / self.scales_[name])
        return pooled

    def predict(self, X: Mapping[str, Any]) -> npt.NDArray[Any]:
        """Return the class with the highest score, for each point."""
        labels: npt.NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return labels


class LayerEnsemble(_Pooled):
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
        weights_: The weight of each layer, by name; `chosen_`, too.

    Cost:
        The decoder's own on every layer.

    References:
        Lee, Yun, Lee, Lee & Shin 2019, arXiv 1901.11300 (weights of layers from noisy validation);
        Genest & Zidek 1986 (the logarithmic pool).
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Mapping[str, Any], y: Any, validation: Any = None) -> Self:
        """Fit on the activations X of each layer (N×D each) and labels y (N).

        Raises:
            NotApplicable: The decoder does not apply to any layer.
        """
        fitted = self._fitted([("", self.estimator)], X, y, validation)
        self._take({layer: (layer, decoder) for _, layer, decoder in fitted}, validation)
        self.chosen_ = self.weights_
        return self

    def _pool(self, scores: Scores, labels: npt.NDArray[np.int64]) -> tuple[Scores, float]:
        return pool(scores, labels), 0.0


class Stacked(_Pooled):
    """Several decoders on each layer, their log-probabilities added up with a weight for each.

    The scores of a decoder on a layer, in units of their standard deviation on validation points,
    get the weights w ≥ 0 that make the noisy validation labels likeliest, where the true label has
    the probabilities p = softmax(Σ_l w_l s_l) and the given one (1 − ρ)·p + ρ/K: uniform noise,
    whose rate ρ is estimated together with the weights. So sure scores pay, though labels are
    noisy. Without validation points all count the same.

    Args:
        estimators: Names and decoders of a layer; they need scikit-learn's `decision_function`.

    Attributes:
        classes_: The classes seen, ascending.
        estimators_: The fitted decoders, by name and layer.
        scales_: The divisor of each one's scores, likewise.
        weights_: The weight of each one, likewise.
        rate_: The estimated shuffle rate; 0 without validation points.
        chosen_: The rate, and the weights above 0.

    Cost:
        The decoders' own on every layer, with the moments of a layer added up once.

    References:
        Wolpert 1992, Breiman 1996 (stacking with weights w ≥ 0); Genest & Zidek 1986 (the
        logarithmic pool); Patrini et al. 2017, arXiv 1609.03683 (forward correction).
    """

    def __init__(self, estimators: Sequence[tuple[str, Any]]) -> None:
        self.estimators = estimators

    def fit(self, X: Mapping[str, Any], y: Any, validation: Any = None) -> Self:
        """Fit on the activations X of each layer (N×D each) and labels y (N).

        Raises:
            NotApplicable: No decoder applies to any layer.
        """
        fitted = self._fitted(self.estimators, X, y, validation)
        members = {f"{name} on {layer}": (layer, decoder) for name, layer, decoder in fitted}
        self._take(members, validation)
        used = {name: weight for name, weight in self.weights_.items() if weight}
        self.chosen_ = {"rate": round(self.rate_, 4), **used}
        return self

    def _pool(self, scores: Scores, labels: npt.NDArray[np.int64]) -> tuple[Scores, float]:
        return pool_under_noise(scores, labels)


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


def pool_under_noise(scores: Scores, labels: npt.NDArray[np.int64]) -> tuple[Scores, float]:
    """Return weights w ≥ 0 (L) and the rate of uniform noise that make noisy labels likeliest.

    The likelihood is not concave in both: the best of the optima from three rates is taken.

    Args:
        scores: L×N×K.
        labels: Each point's given class, N.
    """
    rows, (count, points, classes) = np.arange(len(labels)), scores.shape
    flat = scores.reshape(count, -1)  # copied once, where the optimizer would do so at each step

    def loss(unknown: Scores) -> tuple[float, Scores]:
        weights, rate = unknown[:-1], unknown[-1]
        true = softmax((weights @ flat).reshape(points, classes), axis=1)
        own = true[rows, labels]
        given = (1 - rate) * own + rate / classes
        inward = -true * (own / given)[:, None]
        inward[rows, labels] += own / given
        slope = -(1 - rate) * (flat @ inward.ravel()) / points + _PENALTY * weights
        by_rate = ((own - 1 / classes) / given).mean()
        value = _PENALTY * (weights @ weights) / 2 - np.log(given).mean()
        return float(value), np.append(slope, by_rate)

    bounds = [(0, None)] * count + [(0, _NOISIEST)]
    found = [
        minimize(
            loss,
            np.append(np.full(count, 1 / count), rate),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
        )
        for rate in (0.1, 0.4, 0.8)
    ]
    best = min(found, key=lambda each: float(each.fun)).x
    return best[:-1], float(best[-1])
