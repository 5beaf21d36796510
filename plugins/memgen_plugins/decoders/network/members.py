"""Decoders of a layer, each fitted on each layer of a network, and the best of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone

from memgen_bench import NotApplicable
from memgen_bench.toolkit.decoders import moments_of, taken
from memgen_plugins.decoders.base.cross_fitting import by_best_on_others

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt


class OfLayers(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A decoder of a network that contains decoders of its layers.

    Attributes:
        classes_: The classes seen, ascending.
    """

    classes_: npt.NDArray[Any]

    def _fitted(
        self, estimators: Sequence[tuple[str, Any]], X: Mapping[str, Any], y: Any, validation: Any
    ) -> Iterator[tuple[str, str, Any]]:
        """Yield each estimator's name, a layer, and the estimator fitted on it, layer by layer.

        The moments of a layer are added up once. Estimators that do not apply are left out.

        Raises:
            NotApplicable: None applies.
        """
        labels, reason, applied = np.asarray(y), NotApplicable("no decoder is given"), False
        self.classes_ = np.unique(labels)
        for layer, points in X.items():
            needs = (
                {} if validation is None else {"validation": (validation[0][layer], validation[1])}
            )
            moments = None
            for name, estimator in estimators:
                decoder = clone(estimator)
                try:
                    if hasattr(decoder, "fit_moments"):
                        moments = moments or moments_of(points, labels)
                        decoder.fit_moments(moments, **taken(decoder.fit_moments, needs))
                    else:
                        decoder.fit(points, y, **taken(decoder.fit, needs))
                except NotApplicable as error:
                    reason = error
                    continue
                applied = True
                yield name, layer, decoder
        if not applied:
            raise reason


class BestMember(OfLayers):
    """The decoder and layer of a short list that are most accurate on noisy validation labels.

    Where true labels are the likeliest given ones, that accuracy grows with the accuracy on true
    labels, and no true label is seen. Of equals the first layer wins, and on it the first decoder.
    Which points they are fitted on is not chosen here, as a decoder gets only one kind.

    Args:
        estimators: Names and decoders of a layer.

    Attributes:
        classes_: The classes seen, ascending.
        member_: The fitted decoder.
        chosen_: The name of the decoder, that of the layer, and what the decoder chose itself.
        validation_predictions_: The label of each validation point, by the member that is best on
            the other folds.

    Cost:
        A fit of each decoder on each layer, with the moments of a layer added up once, and
        predictions of all validation points; predict as the chosen one.

    References:
        Model selection on noisy labels: Chen, Ye, Chen, Zhao & Heng 2021, arXiv 2012.04193.
    """

    def __init__(self, estimators: Sequence[tuple[str, Any]]) -> None:
        self.estimators = estimators

    def fit(self, X: Mapping[str, Any], y: Any, validation: Any) -> Self:
        """Fit on the activations X of each layer (N×D each) and labels y (N).

        Raises:
            NotApplicable: No decoder applies to any layer.
        """
        held, labels = validation[0], np.asarray(validation[1])
        best, every = -1.0, []
        for name, layer, fitted in self._fitted(self.estimators, X, y, validation):
            predicted = np.asarray(fitted.predict(held[layer]))
            every.append(predicted)
            accuracy = float(np.mean(predicted == labels))
            if accuracy > best:
                best, self.member_, self._layer = accuracy, fitted, layer
                own = getattr(fitted, "chosen_", {})
                self.chosen_ = {"decoder": name, "layer": layer, **own}
        self.validation_predictions_ = by_best_on_others(every, labels)
        return self

    def predict(self, X: Mapping[str, Any]) -> npt.NDArray[Any]:
        """Return the label that the chosen decoder gives each point."""
        labels: npt.NDArray[Any] = self.member_.predict(X[self._layer])
        return labels
