"""The network itself with other weights in its last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from torch import nn

from memgen_bench import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

_CLOSE = 1e-3  # float32 error of logits recomputed from the layer below, by the largest logit


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
        *_, self._hidden, logits = X
        linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
        if not linear or not _is_head(linear[-1], X[self._hidden], X[logits]):
            raise NotApplicable(f"the last linear module does not make {logits} of {self._hidden}")
        fitted = clone(self.estimator).fit(X[self._hidden], y)
        self.classes_, self.head_ = fitted.classes_, _edited(linear[-1], fitted)
        return self

    def predict(self, X: Mapping[str, Any]) -> npt.NDArray[np.int64]:
        """Return the edited network's argmax for each point."""
        with torch.no_grad():
            logits = self.head_(X[self._hidden].to(self.head_.weight.dtype))
        labels: npt.NDArray[np.int64] = logits.argmax(dim=1).cpu().numpy()
        return labels


def _is_head(module: nn.Linear, hidden: torch.Tensor, logits: torch.Tensor) -> bool:
    if hidden.shape[1] != module.in_features or logits.shape[1] != module.out_features:
        return False
    with torch.no_grad():
        difference = (module(hidden.to(module.weight.dtype)) - logits).abs().max()
    return bool(difference <= _CLOSE * logits.abs().max())


def _edited(module: nn.Linear, fitted: Any) -> nn.Linear:
    """Return a linear module with a decoder's vectors, in float64, as their terms may be large."""
    head = nn.Linear(module.in_features, module.out_features, dtype=torch.float64)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(-torch.inf)
        head.weight[fitted.classes_] = torch.from_numpy(fitted.coef_)
        head.bias[fitted.classes_] = torch.from_numpy(fitted.intercept_)
    return head.to(module.weight.device)
