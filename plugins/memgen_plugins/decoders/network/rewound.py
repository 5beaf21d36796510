"""The last modules of a network trained anew on frozen earlier ones."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn
from torch.nn import functional

from memgen_plugins.decoders.base.ranges import COUNT, POSITIVE
from memgen_plugins.decoders.network.head import find_head

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

_CLOSE = 1e-3  # float32 error of activations recomputed from the layer below, by the largest


class Rewound(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped base
    """The network whose last linear modules are trained anew, and stopped early.

    Memorization is mostly in the last layers. So the last module, the last two, and so on as far
    as the network ends in linear modules with rectifiers between them, begin again at random
    weights, and are trained on the activations that the frozen part before them gives. Of all
    depths and epochs the one that is most accurate on noisy validation labels is read out, of
    equals the shallowest and earliest; without them the last epoch of the last module.

    This needs a network whose last layer read before the logits is what its last linear module
    gets. Classes without points are never predicted.

    Args:
        epochs: The most epochs of each training.
        lr: Learning rate of Adam.
        batch_size: Points in a step.
        random_state: Seed of weights and batches.

    Attributes:
        classes_: The classes seen, ascending.
        tail_: The modules that were trained anew.
        chosen_: The number of modules, and the epoch, from 1.

    Cost:
        6N FLOPs an epoch and weight of the modules, for each depth.

    References:
        Stephenson, Padhy, Ganesh, Hui, Tang & Chung 2021, arXiv 2105.14602, who put the last
        modules' weights of an earlier epoch back; here they are trained again, as weights of
        earlier epochs are not kept.
    """

    _parameter_constraints: ClassVar = {
        "epochs": COUNT,
        "lr": POSITIVE,
        "batch_size": COUNT,
        "random_state": ["random_state"],
    }

    def __init__(
        self, epochs: int = 30, lr: float = 1e-3, batch_size: int = 128, random_state: int = 0
    ) -> None:
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X: Mapping[str, Any], y: Any, network: nn.Module, validation: Any = None) -> Self:
        """Fit on the activations X of each layer (N×D tensors) and labels y (N).

        Raises:
            NotApplicable: The logits are not a linear function of the layer before them.
            ValueError: A parameter is out of its range.
        """
        self._validate_params()
        index = torch.as_tensor(y)
        self.classes_ = np.unique(index.cpu().numpy())
        chain, best = linear_tail(network, X), -1.0
        for depth in range(1, len(chain) + 1 if validation is not None else 2):
            layer = chain[-depth][0]
            generator = torch.Generator().manual_seed(self.random_state)
            tail = _anew([module for _, module in chain[-depth:]], generator).to(X[layer].device)
            optimizer = torch.optim.Adam(tail.parameters(), lr=self.lr)
            for epoch in range(1, self.epochs + 1):
                order = torch.randperm(len(index), generator=generator)
                for rows in torch.split(order.to(index.device), self.batch_size):
                    optimizer.zero_grad()
                    loss = functional.cross_entropy(tail(X[layer][rows].float()), index[rows])
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                accuracy = float(epoch)
                if validation is not None:
                    read = self._read(tail, validation[0][layer])
                    accuracy = float(np.mean(read == np.asarray(validation[1])))
                if accuracy > best:
                    best, self.tail_, self._layer = accuracy, copy.deepcopy(tail), layer
                    self.chosen_ = {"modules": depth, "epoch": epoch}
        return self

    def _read(self, tail: nn.Module, points: torch.Tensor) -> npt.NDArray[np.int64]:
        with torch.no_grad():
            logits = tail(points.float())[:, torch.from_numpy(self.classes_)]
        labels: npt.NDArray[np.int64] = self.classes_[logits.argmax(dim=1).cpu().numpy()]
        return labels

    def predict(self, X: Mapping[str, Any]) -> npt.NDArray[np.int64]:
        """Return the argmax of the network with its new modules, for each point."""
        return self._read(self.tail_, X[self._layer])


def linear_tail(network: nn.Module, X: Mapping[str, torch.Tensor]) -> list[tuple[str, nn.Linear]]:
    """Return the linear modules that a network ends in, each with the layer that it gets.

    Between them there is nothing but rectifiers.

    Args:
        network: The network.
        X: The activations of its layers, N×D each; the last are the logits.

    Raises:
        NotApplicable: The logits are not a linear function of the layer before them.
    """
    last, hidden = find_head(network, X)
    tail, layers = [(hidden, last)], list(X)[:-1]
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)][:-1]
    while linear and len(layers) > 1 and _makes(linear[-1], X[layers[-2]], X[layers[-1]]):
        layers.pop()
        tail.insert(0, (layers[-1], linear.pop()))
    return tail


def _makes(module: nn.Linear, given: torch.Tensor, made: torch.Tensor) -> bool:
    if given.shape[1] != module.in_features or made.shape[1] != module.out_features:
        return False
    with torch.no_grad():
        difference = (module(given.to(module.weight.dtype)).relu() - made).abs().max()
    return bool(difference <= _CLOSE * made.abs().max())


def _anew(modules: list[nn.Linear], generator: torch.Generator) -> nn.Sequential:
    """Return linear modules like these at random weights, with rectifiers between them."""
    found: list[nn.Module] = []
    for module in modules:
        new = nn.Linear(module.in_features, module.out_features, bias=module.bias is not None)
        bound = module.in_features**-0.5  # as torch begins
        for parameter in new.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
        found += [new, nn.ReLU()]
    return nn.Sequential(*found[:-1])
