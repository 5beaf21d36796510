from __future__ import annotations

import copy

import torch

from memgen_bench import Task, load_registry

SPEC = load_registry().models["quadratic"]
TASK = Task(channels=1, height=2, width=53, num_classes=53)


def test_it_computes_squares_of_sums_without_biases() -> None:
    module, x = SPEC.build(TASK), torch.rand(4, 1, 2, 53)
    first, last = (weight.detach() for weight in module.parameters())
    assert (first.shape, last.shape) == ((318, 106), (53, 318))
    expected = (x.flatten(1) @ first.T) ** 2 @ last.T
    torch.testing.assert_close(module(x), expected)
    torch.testing.assert_close(copy.deepcopy(module)(x), expected)


def test_its_recipe_goes_on_after_memorizing_in_whole_batches() -> None:
    recipe = SPEC.recipe
    assert (recipe.optimizer, recipe.weight_decay, recipe.batch_size) == ("adamw", 3.0, 0)
    assert recipe.min_epochs == 500
