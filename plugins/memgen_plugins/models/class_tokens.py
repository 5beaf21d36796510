"""Class tokens of transformers, read beside the mean of the patches instead of mixed with them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

_PARTS = ("class_token", "patch_mean")


def split_tokens(module: nn.Module, outputs: Mapping[str, Any]) -> None:
    """Let a timm transformer offer class token and patches' mean of its blocks as features.

    Its `feature_info` then names `<block>.class_token` and `<block>.patch_mean`: modules that are
    called with them whenever the block was. Other tokens (registers, distillation) are in neither.
    A block that the class token has not joined yet stays as it is.

    Args:
        module: A network of timm.
        outputs: What its feature modules gave for one image, by name.
    """
    prefix = getattr(module, "num_prefix_tokens", 1)
    if not prefix or getattr(module, "cls_token", "") is None:
        return
    patches = getattr(getattr(module, "patch_embed", None), "num_patches", None)
    modules, features = dict(module.named_modules()), []
    for name, output in outputs.items():
        tokens = _tokens(output)
        if tokens is None or (patches and tokens.shape[1] != patches + prefix):
            features.append(name)
            continue
        for part in _PARTS:
            modules[name].add_module(part, nn.Identity())
            features.append(f"{name}.{part}")
        modules[name].register_forward_hook(partial(_offer, prefix=prefix))
    module.feature_info = [{"module": name} for name in features]  # type: ignore[assignment]


def _offer(block: nn.Module, args: Any, output: Any, *, prefix: int) -> None:
    tokens = _tokens(output)
    if tokens is not None and not block.training:
        block.class_token(tokens[:, 0])  # type: ignore[operator]
        block.patch_mean(tokens[:, prefix:].mean(1))  # type: ignore[operator]


def _tokens(output: Any) -> torch.Tensor | None:
    """Return the first B×T×C tensor of an output."""
    items = output if isinstance(output, tuple | list) else (output,)
    return next((item for item in items if getattr(item, "ndim", 0) == 3), None)
