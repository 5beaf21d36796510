"""A network of squared units, which learns modular addition and memorizes its exceptions."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from memgen_bench import ModelSpec, Recipe, Task, hookimpl

if TYPE_CHECKING:
    from torch import nn

_UNITS = 6  # a class
# On modular addition wrong sums are memorized after some fifty epochs; the rule is learnt later.
# Chosen on seed 100, which is in no suite, with its clean labels seen.
_RECIPE = Recipe(
    optimizer="adamw",
    lr=1e-2,
    weight_decay=3.0,
    batch_size=0,
    target=1.0,
    min_epochs=500,
    max_epochs=2000,
    threads=1,
)


def build_quadratic(task: Task) -> nn.Module:
    """6·K hidden units, each the square of a weighted sum, and K outputs; no biases."""
    import torch
    from torch import nn

    class Square(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.square()

    inputs, width = task.channels * task.height * task.width, _UNITS * task.num_classes
    first = nn.Linear(inputs, width, bias=False)
    last = nn.Linear(width, task.num_classes, bias=False)
    nn.init.normal_(first.weight, std=2 * inputs**-0.5)
    nn.init.normal_(last.weight, std=width**-0.5)
    return nn.Sequential(
        OrderedDict(flat=nn.Flatten(), hidden=nn.Sequential(first, Square()), out=last)
    )


@hookimpl
def register_models() -> list[ModelSpec]:
    """Offer the quadratic network."""
    return [
        ModelSpec(
            name="quadratic",
            summary="one hidden layer of squared units, six a class, for modular addition",
            citation="Gromov 2023, arXiv 2301.02679; Doshi et al. 2024, arXiv 2310.13061",
            build=build_quadratic,
            recipe=_RECIPE,
            layers=("hidden",),
        )
    ]
