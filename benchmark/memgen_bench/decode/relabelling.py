"""The estimator of `a>b`: the second decoder is fitted on the labels that the first predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from memgen_bench.plugin.parameters import taken

if TYPE_CHECKING:
    import numpy.typing as npt


class Relabelled(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit a decoder, relabel the training points with it, and fit another one on these labels.

    Args:
        first: The decoder that is fitted on the given labels.
        then: The decoder that is fitted on the labels `first` predicts, and makes the predictions.

    Attributes:
        classes_: The classes that `first` saw, ascending.
        first_: The fitted first decoder.
        then_: The fitted second decoder.
        chosen_: The parameters that each of them chose for itself, by `first` and `then`.

    Cost:
        The sum of both, and predictions of the training points by the first.

    References:
        Yarowsky 1995 (self-training); Tanaka et al. 2018, arXiv 1803.11364 (relabelling).
    """

    def __init__(self, first: Any, then: Any) -> None:
        self.first = first
        self.then = then

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        validation: Any = None,
        transition: Any = None,
        network: Any = None,
        neighbors: Any = None,
        trajectory: Any = None,
    ) -> Self:
        """Fit both on activations X (N×D) and labels y (N); each gets the needs that it takes."""
        needs = {
            "validation": validation,
            "transition": transition,
            "network": network,
            "neighbors": neighbors,
            "trajectory": trajectory,
        }
        self.first_ = _fit(self.first, X, y, needs)
        found = self.first_.predict(X)
        if isinstance(X, torch.Tensor):
            found = torch.as_tensor(found).to(X.device)
        self.then_ = _fit(self.then, X, found, needs)
        self.classes_ = np.unique(np.asarray(found.cpu() if torch.is_tensor(found) else found))
        for name in ("classes_", "n_features_in_", "feature_names_in_"):
            if hasattr(self.first_, name):
                setattr(self, name, getattr(self.first_, name))
        stages = {"first": self.first_, "then": self.then_}
        chosen = {name: getattr(stage, "chosen_", {}) for name, stage in stages.items()}
        self.chosen_ = {name: choice for name, choice in chosen.items() if choice}
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the second decoder's prediction for each row of X."""
        check_is_fitted(self, "then_")
        labels: npt.NDArray[Any] = self.then_.predict(X)
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = [getattr(part, "__sklearn_tags__", None) for part in (self.first, self.then)]
        tags.classifier_tags.poor_score = any(
            found().classifier_tags.poor_score for found in inner if found
        )
        return tags


def _fit(decoder: Any, X: Any, y: Any, needs: dict[str, Any]) -> Any:
    """Fit and return a copy of a decoder, with the needs that its `fit` takes."""
    fresh = clone(decoder, safe=False)
    fresh.fit(X, y, **taken(fresh.fit, needs))
    return fresh
