"""Models that break the contract: each fails the check whose name it bears.

A summary holds words that the check's message must contain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from memgen_bench import ModelSpec, Recipe, Task, hookimpl

RECIPE = Recipe(lr=3e-3, max_epochs=100)


class Small(nn.Module):
    """One hidden layer, which breaks nothing."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        inputs = task.channels * task.height * task.width
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 48), nn.ReLU())
        self.out = nn.Linear(48, task.num_classes)

    def forward(self, x: Any) -> Any:
        return self.out(self.hidden(x))


class TenClasses(Small):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.out = nn.Linear(48, 10)


class Grey(Small):
    def __init__(self, task: Task) -> None:
        if task.channels > 1:
            raise ValueError("too colourful")
        super().__init__(task)


class InHalf(Small):
    def __init__(self, task: Task) -> None:
        torch.set_float32_matmul_precision("medium")
        super().__init__(task)


class OwnSeeds(Small):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        weights = np.random.default_rng().normal(size=(task.num_classes, 48)) / 7
        self.out.weight.data = torch.from_numpy(weights).float()


class Drops(Small):
    def forward(self, x: Any) -> Any:
        return super().forward(nn.functional.dropout(x, 0.1, training=True))


class LooksAround(Small):
    def forward(self, x: Any) -> Any:
        return super().forward(x + 0.1 * x.mean(dim=0))


class KeepsAside(Small):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.aside = torch.rand(48)

    def forward(self, x: Any) -> Any:
        return self.out(self.hidden(x) + self.aside)


def _spec(
    name: str,
    words: str,
    build: Any = Small,
    recipe: Recipe = RECIPE,
    layers: tuple[str, ...] = ("hidden",),
) -> ModelSpec:
    return ModelSpec(name=name, summary=words, build=build, recipe=recipe, layers=layers)


@hookimpl
def register_models() -> list[ModelSpec]:
    return [
        _spec("described", ""),
        _spec("fits-the-task", "must make task.num_classes outputs", TenClasses),
        _spec("says-what-it-takes", "raise NotApplicable(reason)", Grey),
        _spec("has-layers", "name modules", layers=()),
        _spec("leaves-the-process-alone", "torch.set_float32_matmul_precision", InHalf),
        _spec("follows-the-seed", "torch's global stream", OwnSeeds),
        _spec("is-steady", "follow module.training", Drops),
        _spec("minds-no-batch", "track_running_stats=True", LooksAround),
        _spec("memorizes", "more max_epochs", recipe=Recipe(lr=1e-9, max_epochs=2)),
        _spec("keeps-all-in-its-weights", "register_buffer", KeepsAside),
    ]
