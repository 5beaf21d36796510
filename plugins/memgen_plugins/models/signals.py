"""Networks for signals, images of height 1."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from memgen_bench import ModelSpec, NotApplicable, Recipe, Task, hookimpl

if TYPE_CHECKING:
    from torch import nn

_CITATION = "Greydanus 2020, arXiv 2011.14439"
_KERNELS = (5, 3, 3)
_RECIPE = Recipe(optimizer="adam", lr=1e-3, batch_size=64, target=1.0, max_epochs=500, threads=1)
_MNIST1D = Task(channels=1, height=1, width=40, num_classes=10)


def build_conv1d(task: Task, *, width: int) -> nn.Module:
    """Three convolutions of stride 2, each of `width` channels, and one hidden layer of 128 units.

    The published network has no hidden layer: its 5,000 weights do not memorize 4,000 labels. The
    convolutions are two-dimensional ones of height 1, so that maps are pooled as those of images.
    """
    from torch import nn

    if task.height != 1:
        raise NotApplicable(f"made for signals of height 1, not of height {task.height}")

    def conv(inputs: int, kernel: int) -> nn.Module:
        layer = nn.Conv2d(inputs, width, (1, kernel), stride=(1, 2), padding=(0, 1))
        return nn.Sequential(layer, nn.ReLU())

    length = task.width
    for kernel in _KERNELS:
        length = (length + 2 - kernel) // 2 + 1
    return nn.Sequential(
        OrderedDict(
            conv1=conv(task.channels, _KERNELS[0]),
            conv2=conv(width, _KERNELS[1]),
            conv3=conv(width, _KERNELS[2]),
            flat=nn.Flatten(),
            fc1=nn.Sequential(nn.Linear(width * length, 128), nn.ReLU()),
            out=nn.Linear(128, task.num_classes),
        )
    )


def _spec(name: str, width: int) -> ModelSpec:
    return ModelSpec(
        name=name,
        summary=f"three convolutions of {width} channels along a signal and one hidden layer",
        citation=_CITATION,
        build=partial(build_conv1d, width=width),
        recipe=_RECIPE,
        layers=("conv1", "conv2", "conv3", "fc1"),
        tasks=(_MNIST1D,),
    )


@hookimpl
def register_models() -> list[ModelSpec]:
    """Offer the network of the MNIST-1D paper, and a wide one."""
    return [_spec("conv1d", 25), _spec("conv1d-wide", 100)]
