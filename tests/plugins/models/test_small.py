"""Small networks and the paper's: pooling before the ReLU changes no weight of a training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from memgen_bench import Task, load_registry
from memgen_bench.network.training import initial_module

TASK = Task(channels=1, height=8, width=8, num_classes=3)


def in_the_usual_order(module: nn.Module) -> int:
    """Put each ReLU that follows a pooling before it; return how many there were."""
    found = 0
    for block in (each for each in module.modules() if isinstance(each, nn.Sequential)):
        for k in range(len(block) - 1):
            if isinstance(block[k], nn.MaxPool2d) and isinstance(block[k + 1], nn.ReLU):
                block[k], block[k + 1] = block[k + 1], block[k]
                found += 1
    return found


def trained(module: nn.Module) -> list[torch.Tensor]:
    """Return the weights after some steps, and the last logits."""
    stream = torch.Generator().manual_seed(0)
    x, y = torch.randn(24, 1, 8, 8, generator=stream), torch.arange(24) % 3
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    module.to(memory_format=torch.channels_last)
    for _ in range(12):
        logits = module(x)
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return [*module.parameters(), logits]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("name", "pools"), [("cnn", 2), ("cnn-pooled", 2), ("cnn-pooled-bn", 2), ("paper-cnn", 3)]
)
def test_pooling_before_the_relu_changes_no_weight(name: str, pools: int) -> None:
    spec = load_registry().models[name]
    ours, usual = (initial_module(spec, TASK, 0) for _ in range(2))
    assert in_the_usual_order(usual) == pools
    for found, expected in zip(trained(ours), trained(usual), strict=True):
        assert torch.equal(found, expected)
