"""Every architecture of timm as `timm/<name>`, without pretrained weights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from memgen_bench import Family, ModelSpec, Recipe, Task, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import nn

_PREFIX = "timm/"
_FEATURED = ("timm/test_convnext", "timm/test_resnet")
_SMALLEST = 32  # most of timm's architectures halve an image five times
_RECIPE = Recipe(optimizer="adam", lr=1e-3, batch_size=64, target=1.0, max_epochs=500, threads=1)


def build(task: Task, *, name: str) -> nn.Module:
    """Create a timm model that enlarges its images bilinearly to the size that it needs."""
    import timm

    module: nn.Module = timm.create_model(
        name, pretrained=False, in_chans=task.channels, num_classes=task.num_classes
    )
    size = _image_size(module.pretrained_cfg, task)  # type: ignore[arg-type]
    if size != (task.height, task.width):
        module.register_forward_pre_hook(partial(_resize, size=size))
    return module


def _image_size(config: dict[str, Any], task: Task) -> tuple[int, int]:
    """Return the height and width that a model wants: its fixed size, or at least its minimum."""
    if config.get("fixed_input_size"):
        _, height, width = config["input_size"]
        return height, width
    _, least_height, least_width = config.get("min_input_size") or (0, _SMALLEST, _SMALLEST)
    return max(task.height, least_height), max(task.width, least_width)


def _resize(
    module: nn.Module, args: tuple[torch.Tensor, ...], *, size: tuple[int, int]
) -> torch.Tensor:
    from torch.nn import functional

    return functional.interpolate(args[0], size=size, mode="bilinear", align_corners=False)


def _resolve(full_name: str) -> ModelSpec:
    name = full_name.removeprefix(_PREFIX)
    if full_name not in _FEATURED:  # those are known; asking timm about others takes seconds
        import timm

        if not timm.is_model(name):
            raise KeyError(full_name)
    return ModelSpec(
        name=full_name,
        summary=f"timm's {name}, not pretrained",
        citation="Wightman, PyTorch Image Models (timm)",
        build=partial(build, name=name),
        recipe=_RECIPE,
    )


def _members() -> Iterable[str]:
    import timm

    return [_PREFIX + name for name in timm.list_models()]


@hookimpl
def register_models() -> list[Family[ModelSpec]]:
    """Offer the family `timm/`."""
    return [
        Family(
            prefix=_PREFIX,
            summary="any architecture of timm, not pretrained",
            resolve=_resolve,
            featured=_FEATURED,
            members=_members,
        )
    ]
