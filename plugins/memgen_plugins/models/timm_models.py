"""Every architecture of timm: `timm/<name>` with random weights, or `timm/<name>@pretrained`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from memgen_bench import Family, ModelSpec, Recipe, Task, UsageError, hookimpl
from memgen_plugins.models.pretrained import MARK, find_weights

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import nn

    from memgen_plugins.models.pretrained import Weights

_PREFIX = "timm/"
_FEATURED = ("timm/test_convnext", "timm/test_resnet")
_SMALLEST = 32  # most of timm's architectures halve an image five times
_RECIPE = Recipe(optimizer="adam", lr=1e-3, batch_size=64, target=1.0, max_epochs=500, threads=1)
# Modules of timm whose networks have class tokens among the patches.
_WITH_CLASS_TOKENS = (
    *("beit", "convit", "crossvit", "deit", "eva", "naflexvit", "vision_transformer"),
    "vision_transformer_hybrid",
)


def build(
    task: Task, *, name: str, has_class_token: bool = False, weights: Weights | None = None
) -> nn.Module:
    """Create a timm model that enlarges its images bilinearly to the size that it needs.

    That is the size that it is fixed to, or the larger of the image's, timm's minimum for it, and
    32; where it fails on that, the size that timm's own recipe gives it.

    Args:
        task: What it is built for.
        name: timm's name.
        has_class_token: Class tokens are read apart from the patches; see `split_tokens`.
        weights: Pretrained weights; None for random ones.
    """
    module = weights.network(task) if weights else _random(name, task)
    config: Any = module.pretrained_cfg
    size = _image_size(config, task)
    features = _features(module, task.channels, size)
    if features is None:
        _, *own = config["input_size"]
        size = own[0], own[1]
        features = _features(module, task.channels, size)
    if features and has_class_token:
        from memgen_plugins.models.class_tokens import split_tokens

        split_tokens(module, features)
    if size != (task.height, task.width):
        module.register_forward_pre_hook(partial(_resize, size=size))
    return module


def _random(name: str, task: Task) -> nn.Module:
    import timm

    module: nn.Module = timm.create_model(
        name, pretrained=False, in_chans=task.channels, num_classes=task.num_classes
    )
    return module


def _image_size(config: Any, task: Task) -> tuple[int, int]:
    """Return the height and width that a model wants: its fixed size, or at least its minimum."""
    if config.get("fixed_input_size"):
        _, height, width = config["input_size"]
        return height, width
    _, least_height, least_width = config.get("min_input_size") or (0, _SMALLEST, _SMALLEST)
    return max(task.height, least_height), max(task.width, least_width)


def _features(module: nn.Module, channels: int, size: tuple[int, int]) -> dict[str, Any] | None:
    """Return what the feature modules give for a black image; None where the model fails on it."""
    import torch

    found: dict[str, Any] = {}

    def remember(name: str, child: nn.Module, args: Any, output: Any) -> None:
        found[name] = output

    modules = dict(module.named_modules())
    names = [stage["module"] for stage in getattr(module, "feature_info", ())]
    hooks = [
        modules[name].register_forward_hook(partial(remember, name))
        for name in names
        if name in modules
    ]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            module.eval()(torch.zeros(1, channels, *size))
    except Exception:  # whatever a network raises on images that are too small for it
        return None
    finally:
        module.train()
        for hook in hooks:
            hook.remove()
    return found


def _resize(
    module: nn.Module, args: tuple[torch.Tensor, ...], *, size: tuple[int, int]
) -> torch.Tensor:
    from torch.nn import functional

    return functional.interpolate(args[0], size=size, mode="bilinear", align_corners=False)


def _resolve(full_name: str) -> ModelSpec:
    name, is_pretrained = full_name.removeprefix(_PREFIX), full_name.endswith(MARK)
    name = name.removesuffix(MARK)
    architecture, _, tag = name.partition(".")
    has_class_token = False
    if full_name not in _FEATURED:  # those are known; asking timm about others takes seconds
        import timm

        if not timm.is_model(architecture):
            raise KeyError(full_name)
        if tag and not is_pretrained:
            raise UsageError(
                f"{full_name}: {tag!r} names pretrained weights; ask for {full_name}{MARK} to "
                f"start from them, or for {_PREFIX}{architecture} to start from random ones"
            )
        home = timm.models.model_entrypoint(architecture).__module__
        has_class_token = home.rpartition(".")[2] in _WITH_CLASS_TOKENS
    weights = find_weights(name) if is_pretrained else None
    return ModelSpec(
        name=full_name,
        summary=f"timm's {name}, {'pretrained' if weights else 'not pretrained'}",
        citation="Wightman, PyTorch Image Models (timm)",
        version=2 if has_class_token else 1,  # 2: class tokens are read apart from the patches
        build=partial(build, name=architecture, has_class_token=has_class_token, weights=weights),
        recipe=_RECIPE,
        parameters={"weights": weights.digest} if weights else {},
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
            summary=f"any architecture of timm; with {MARK}, from its pretrained weights",
            resolve=_resolve,
            featured=_FEATURED,
            members=_members,
        )
    ]
