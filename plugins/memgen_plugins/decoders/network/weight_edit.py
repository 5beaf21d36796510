"""The network itself with other weights in its last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone

from memgen_plugins.decoders.network.head import find_head, new_head, read_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    from torch import nn


class WeightEdit(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Write a linear decoder's vectors into the network's last layer, and read the network out.

    The decoder is fitted on the inputs of the last linear module, and replaces its rows and
    biases; classes without points are never predicted. This needs a network whose last layer read
    before the logits is the input of that module.

    Args:
        estimator: A decoder with `coef_` and `intercept_`.

    Attributes:
        classes_: The classes seen, ascending.
        head_: The edited module.

    Cost:
        The decoder's own on one layer.

    References:
        Ketha & Ramaswamy 2026, arXiv 2603.19865 (with the vectors of VeLPIC, no bias).
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Mapping[str, Any], y: Any, network: nn.Module) -> Self:
        """Fit on the activations X of each layer (N×D tensors) and labels y (N)."""
        module, self._hidden = find_head(network, X)
        fitted = clone(self.estimator).fit(X[self._hidden], y)
        self.classes_ = fitted.classes_
        self.head_ = new_head(module, fitted.classes_, fitted.coef_, fitted.intercept_)
        return self

    def predict(self, X: Mapping[str, Any]) -> npt.NDArray[np.int64]:
        """Return the edited network's argmax for each point."""
        return read_out(self.head_, X[self._hidden])
