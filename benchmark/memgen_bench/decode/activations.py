"""Activations of a network in eval mode, computed in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from memgen_bench.compute import as_tensor, tensor_of
from memgen_bench.decode.scratch import Scratch
from memgen_bench.network.layers import hooked_names, record, vectors
from memgen_bench.protocol import FEATURE_BATCH, FEATURES, LOGITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import nn

    from memgen_bench.arrays import Images, Matrix
    from memgen_bench.plan.plan import Layer


def stream(
    module: nn.Module,
    images: Images,
    layers: Sequence[Layer],
    *,
    device: torch.device,
    batch_size: int = FEATURE_BATCH,
) -> Iterator[dict[str, torch.Tensor]]:
    """Yield, batch by batch, each layer's activations as B×D float32 tensors.

    The module is put into eval mode: no layer may depend on the rest of its batch.

    Args:
        module: A network on `device`.
        images: N×C×H×W.
        layers: The layers to read.
        device: The module's device.
        batch_size: Images per forward pass.
    """
    module.eval().to(memory_format=torch.channels_last)
    wanted = {layer.name: layer for layer in layers}
    taken: dict[str, torch.Tensor] = {}

    def take(name: str, output: torch.Tensor) -> None:
        if name in wanted:
            taken[name] = vectors(output, wanted[name])

    with record(module, hooked_names(layers), take):
        for start in range(0, len(images), batch_size):
            # A copy: a module may change its input in place.
            batch = tensor_of(images[start : start + batch_size], device).clone()
            with torch.inference_mode():
                output = module(batch)
            take(FEATURES if FEATURES in wanted else LOGITS, output)
            yield {layer.name: taken[layer.name] for layer in layers}
            taken.clear()


def extract(
    module: nn.Module,
    images: Images,
    layers: Sequence[Layer],
    *,
    device: torch.device,
    scratch: Scratch | None = None,
    batch_size: int = FEATURE_BATCH,
) -> Mapping[str, Matrix]:
    """Return the activations of some layers, N×D float32 each; in memory without `scratch`."""
    scratch = scratch or Scratch(sum(len(images) * layer.dim * 4 for layer in layers))
    matrices = {layer.name: scratch.empty((len(images), layer.dim)) for layer in layers}
    start = 0
    for batch in stream(module, images, layers, device=device, batch_size=batch_size):
        for name, activations in batch.items():
            stop = start + len(activations)
            as_tensor(matrices[name][start:stop]).copy_(activations)
        start = stop
    return matrices
