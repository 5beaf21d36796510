"""Class tokens and patches of transformers are layers of their own, and nothing else changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from memgen_plugins.models.class_tokens import split_tokens


class Block(nn.Module):
    """Adds one to its tokens; the class token joins them in front where it is asked for."""

    def __init__(self, *, joins: bool = False, several: bool = False) -> None:
        super().__init__()
        self.joins, self.several = joins, several

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        if self.joins:
            x = torch.cat([-x[:, :1], x], dim=1)
        return (x + 1, x.mean((1, 2))) if self.several else x + 1


class Transformer(nn.Module):
    """Two blocks on 4 patches of 3 channels."""

    def __init__(self, first: Block, second: Block, prefix: int = 1) -> None:
        super().__init__()
        self.first, self.second = first, second
        patches: Any = nn.Identity()
        patches.num_patches = 4
        self.patch_embed = patches
        self.num_prefix_tokens = prefix
        self.cls_token = nn.Parameter(torch.zeros(1))
        self.feature_info = [{"module": "first"}, {"module": "second"}]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = self.second(x)
        return (x[0] if isinstance(x, tuple) else x)[:, 0]


def split(module: Transformer, x: torch.Tensor) -> list[str]:
    first = module.first(x)
    split_tokens(module, {"first": first, "second": module.second(first)})
    return [stage["module"] for stage in module.feature_info]


def outputs(module: nn.Module, names: list[str], x: torch.Tensor) -> dict[str, torch.Tensor]:
    seen: dict[str, torch.Tensor] = {}
    for name, child in module.named_modules():
        if name in names:
            child.register_forward_hook(lambda _, args, out, name=name: seen.update({name: out}))
    module(x)
    return seen


@pytest.mark.parametrize("prefix", [1, 2])
@pytest.mark.parametrize("several", [False, True])
def test_class_token_and_mean_of_patches_are_what_the_block_gives(
    prefix: int, several: bool
) -> None:
    torch.manual_seed(0)
    module = Transformer(Block(), Block(several=several), prefix).eval()
    x = torch.randn(5, 4 + prefix, 3)
    names = split(module, x)
    assert names == [
        *("first.class_token", "first.patch_mean", "second.class_token", "second.patch_mean")
    ]
    seen = outputs(copy.deepcopy(module), names, x)
    assert list(seen) == names
    torch.testing.assert_close(seen["first.class_token"], x[:, 0] + 1)
    torch.testing.assert_close(seen["second.patch_mean"], x[:, prefix:].mean(1) + 2)


def test_a_block_before_the_class_token_joins_keeps_its_name() -> None:
    module = Transformer(Block(), Block(joins=True)).eval()
    names = split(module, torch.randn(5, 4, 3))
    assert names == ["first", "second.class_token", "second.patch_mean"]


def test_a_network_without_a_class_token_is_left_alone() -> None:
    for name, value in (("num_prefix_tokens", 0), ("cls_token", None)):
        module = Transformer(Block(), Block())
        setattr(module, name, value)
        assert split(module, torch.randn(5, 5, 3)) == ["first", "second"]


def test_a_training_computes_nothing_more() -> None:
    module = Transformer(Block(), Block()).eval()
    names = split(module, torch.randn(5, 5, 3))
    assert outputs(module.train(), names, torch.randn(5, 5, 3)) == {}
    assert set(module.state_dict()) == {"cls_token"}
