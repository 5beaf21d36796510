"""Label-free features of the images, beside the activations of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench import seeds
from memgen_bench.compute import is_finite
from memgen_bench.decode.activations import extract
from memgen_bench.decode.decoding import Activations
from memgen_bench.errors import PluginError
from memgen_bench.network.features_module import fit_features
from memgen_bench.plan.pooling import features_layers

if TYPE_CHECKING:
    from memgen_bench.arrays import Matrix
    from memgen_bench.data.planned_data import PlannedData
    from memgen_bench.plan.plan import PlannedNetwork
    from memgen_bench.plan.suite import FittedOn

_KEPT: dict[tuple[Any, ...], Activations] = {}  # of the splits that were read last
_MOST_KEPT = 4


def features_of(
    name: str, network: PlannedNetwork, data: PlannedData, fitted_on: FittedOn
) -> Activations:
    """Return features of all images of a split, as the network's control of that name has them.

    They depend on no network and no label, and are kept for the next networks of the split.

    Args:
        name: The name of the features.
        network: A network of the split.
        data: Its data, for decoders that are fitted on these points.
        fitted_on: The points.

    Raises:
        NotApplicable: The features do not apply to such images.
        PluginError: They have no shape, or are not finite.
    """
    spec = data.registry.features.find(name)
    key = (
        *(network.data.name, network.data.fingerprint, network.seed, network.train_size),
        *(network.test_size, network.validation_fraction, network.held_out_fraction),
        *(network.max_layer_dim, spec, fitted_on),
    )
    if key not in _KEPT:
        task = network.data.task
        layers, fault = features_layers(spec, task, network.max_layer_dim)
        if fault:
            raise PluginError(fault)
        module = fit_features(spec, task, data.images, seeds.integer(network.seed, "features"))
        train, validation, test = (
            extract(module, subset.x, layers, device=torch.device("cpu"))[layers[0].name]
            for subset in (data.train, data.validation, data.test)
        )
        if not all(map(is_finite, (train, validation, test))):
            raise PluginError(f"features {name!r} are not finite")
        while len(_KEPT) >= _MOST_KEPT:
            del _KEPT[next(iter(_KEPT))]
        _KEPT[key] = Activations(
            train=train, sample=train[data.sample], validation=validation, test=test
        )
    return _KEPT[key]


def put_beside(layer: Activations, features: Activations, name: str) -> Activations:
    """Return the activations of a layer with features beside them.

    Each column has mean 0 and the same variance over the points to fit on, and all columns of the
    layer together have variance 1, as those of the features have: neither drowns the other.

    Args:
        layer: Activations of one layer, training points included, N×D.
        features: Features of the same points, N×F.
        name: The name of the features.

    Returns:
        N×(D + F) for each subset.
    """
    blocks = [_scaled(each) for each in (layer, features)]
    train, sample, validation, test = (
        np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True)
    )
    return Activations(train=train, sample=sample, validation=validation, test=test, beside=name)


def _scaled(block: Activations) -> list[Matrix]:
    """Return the four subsets, scaled by the mean and variance of the training points."""
    train: Any = block.train
    mean, scale = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    constant = scale <= np.finfo(np.float32).eps * np.abs(mean)
    scale = np.where(constant, 1, scale) * np.sqrt(len(scale))
    every: list[Any] = [train, block.sample, block.validation, block.test]
    return [((subset - mean) / scale).astype(np.float32) for subset in every]
