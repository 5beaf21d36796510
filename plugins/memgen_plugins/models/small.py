"""Small networks that memorize shuffled labels of small images within seconds."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from memgen_bench import ModelSpec, Recipe, Task, hookimpl

if TYPE_CHECKING:
    from torch import nn

_RECIPE = Recipe(optimizer="adam", lr=1e-3, batch_size=64, target=1.0, max_epochs=500, threads=1)


def pooled_relu() -> tuple[nn.Module, nn.Module]:
    """Return 2x2 maximum pooling and ReLU, the same as in the usual order and a tenth faster."""
    from torch import nn

    return nn.MaxPool2d(2, ceil_mode=True), nn.ReLU()


def build_mlp(task: Task) -> nn.Module:
    """Three hidden layers of 128 ReLU units."""
    from torch import nn

    width, inputs = 128, task.channels * task.height * task.width
    return nn.Sequential(
        OrderedDict(
            flat=nn.Flatten(),
            fc1=nn.Sequential(nn.Linear(inputs, width), nn.ReLU()),
            fc2=nn.Sequential(nn.Linear(width, width), nn.ReLU()),
            fc3=nn.Sequential(nn.Linear(width, width), nn.ReLU()),
            out=nn.Linear(width, task.num_classes),
        )
    )


def build_cnn(task: Task) -> nn.Module:
    """3x3 convolutions of 16, 32 and 64 channels, the last two pooled, and one hidden layer."""
    from torch import nn

    def conv(inputs: int, outputs: int) -> nn.Module:
        return nn.Conv2d(inputs, outputs, 3, padding=1)

    def half(size: int) -> int:
        return -(-size // 2)

    flat = 64 * half(half(task.height)) * half(half(task.width))
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Sequential(conv(task.channels, 16), nn.ReLU()),
            conv2=nn.Sequential(conv(16, 32), *pooled_relu()),
            conv3=nn.Sequential(conv(32, 64), *pooled_relu()),
            flat=nn.Flatten(),
            fc1=nn.Sequential(nn.Linear(flat, 128), nn.ReLU()),
            out=nn.Linear(128, task.num_classes),
        )
    )


def build_pooled_cnn(task: Task, *, normalised: bool) -> nn.Module:
    """3x3 convolutions of 16 and 32 channels, each pooled, and one hidden layer.

    Args:
        task: The task to build for.
        normalised: Whether each convolution is batch-normalised.
    """
    from torch import nn

    def conv(inputs: int, outputs: int) -> nn.Module:
        norm = [nn.BatchNorm2d(outputs)] if normalised else []
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), *norm, *pooled_relu())

    flat = 32 * -(-task.height // 4) * -(-task.width // 4)
    return nn.Sequential(
        OrderedDict(
            conv1=conv(task.channels, 16),
            conv2=conv(16, 32),
            flat=nn.Flatten(),
            fc1=nn.Sequential(nn.Linear(flat, 128), nn.ReLU()),
            out=nn.Linear(128, task.num_classes),
        )
    )


def _pooled(name: str, summary: str, *, normalised: bool) -> ModelSpec:
    return ModelSpec(
        name=name,
        summary=summary,
        citation="batch normalisation: Ioffe & Szegedy 2015, arXiv 1502.03167"
        if normalised
        else "",
        build=partial(build_pooled_cnn, normalised=normalised),
        recipe=replace(_RECIPE, lr=2e-3),
        layers=("conv1", "conv2", "fc1"),
        parameters={"normalised": normalised},
    )


@hookimpl
def register_models() -> list[ModelSpec]:
    """Offer the small networks."""
    return [
        ModelSpec(
            name="mlp",
            summary="three hidden layers of 128 ReLU units",
            build=build_mlp,
            recipe=_RECIPE,
            layers=("fc1", "fc2", "fc3"),
        ),
        ModelSpec(
            name="cnn",
            summary="three 3x3 convolutions and one hidden layer of 128 ReLU units",
            build=build_cnn,
            recipe=_RECIPE,
            layers=("conv1", "conv2", "conv3", "fc1"),
        ),
        _pooled(
            "cnn-pooled",
            "two 3x3 convolutions, each pooled, and one hidden layer of 128 ReLU units",
            normalised=False,
        ),
        _pooled("cnn-pooled-bn", "cnn-pooled with batch normalisation", normalised=True),
    ]
