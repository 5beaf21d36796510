"""The last linear module of a network, and the layer that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from memgen_bench import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

_CLOSE = 1e-3  # float32 error of logits recomputed from the layer below, by the largest logit


def find_head(network: nn.Module, X: Mapping[str, torch.Tensor]) -> tuple[nn.Linear, str]:
    """Return the module that makes the logits, and the name of the layer that it reads.

    Args:
        network: The network.
        X: The activations of its layers, N×D each; the last are the logits.

    Raises:
        NotApplicable: The logits are not a linear function of the layer before them.
    """
    *_, hidden, logits = X
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear or not _is_head(linear[-1], X[hidden], X[logits]):
        raise NotApplicable(f"the last linear module does not make {logits} of {hidden}")
    return linear[-1], hidden


def _is_head(module: nn.Linear, hidden: torch.Tensor, logits: torch.Tensor) -> bool:
    if hidden.shape[1] != module.in_features or logits.shape[1] != module.out_features:
        return False
    with torch.no_grad():
        difference = (module(hidden.to(module.weight.dtype)) - logits).abs().max()
    return bool(difference <= _CLOSE * logits.abs().max())


def new_head(module: nn.Linear, classes: Any, coef: Any, intercept: Any) -> nn.Linear:
    """Return a linear module with other rows, in float64, as their terms may be large.

    Args:
        module: The module that it replaces.
        classes: The classes that have a row, ascending; others are never predicted.
        coef: Their rows, one for each class.
        intercept: Their biases.
    """
    head = nn.Linear(module.in_features, module.out_features, dtype=torch.float64)
    classes = torch.as_tensor(classes)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(-torch.inf)
        head.weight[classes] = torch.as_tensor(coef).to(head.weight)
        head.bias[classes] = torch.as_tensor(intercept).to(head.bias)
    return head.to(module.weight.device)


def read_out(head: nn.Linear, hidden: torch.Tensor) -> npt.NDArray[np.int64]:
    """Return the class with the largest logit for each point, from the layer that is read."""
    with torch.no_grad():
        logits = head(hidden.to(head.weight.dtype))
    labels: npt.NDArray[np.int64] = logits.argmax(dim=1).cpu().numpy()
    return labels
