"""The running statistics of untrained networks, estimated from images without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench import seeds
from memgen_bench.compute import tensor_of
from memgen_bench.global_state import preserved
from memgen_bench.protocol import FEATURE_BATCH

if TYPE_CHECKING:
    from torch import nn

    from memgen_bench.arrays import Images

_NEW = (("running_mean", 0.0), ("running_var", 1.0))


@preserved()
def estimate_statistics(
    module: nn.Module,
    images: Images,
    *,
    seed: int,
    device: torch.device,
    batch_size: int = FEATURE_BATCH,
) -> None:
    """Estimate the running statistics of a network's normalisation layers, in place.

    An untrained BatchNorm layer has mean 0 and variance 1, which a trained one never has. One pass
    over the images, in random order, sets them to the average over its batches; all other layers,
    pretrained ones among them, are in eval mode, and no weight changes.

    Args:
        module: An untrained network on `device`.
        images: Training images, N×C×H×W.
        seed: The seed of the order.
        device: The module's device.
        batch_size: The most images of a batch.
    """
    layers: list[Any] = [layer for layer in module.modules() if _is_untrained(layer)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    module.eval()
    for layer in layers:
        layer.train()
    try:
        with torch.no_grad():
            for place, batch in enumerate(_batches(len(images), batch_size, seed)):
                for layer in layers:
                    layer.momentum = 1 / (place + 1)  # a cumulative average
                module(tensor_of(images[batch], device).clone())
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        module.eval()


def _is_untrained(layer: Any) -> bool:
    """Tell whether a layer keeps running statistics, which are those of a new layer."""
    running = [
        (getattr(layer, name, None), value) for name, value in _NEW if hasattr(layer, "momentum")
    ]
    kept = [(each, value) for each, value in running if each is not None]
    return bool(kept) and all(bool((each == value).all()) for each, value in kept)


def _batches(count: int, most: int, seed: int) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Split positions in random order into batches of nearly equal size, the last not tiny."""
    order = seeds.stream(seed, "statistics").permutation(count)
    return np.array_split(order, -(-count // most))
