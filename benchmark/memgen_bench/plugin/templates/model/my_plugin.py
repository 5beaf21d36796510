"""The model `my-plugin`: two hidden layers."""

from memgen_bench import ModelSpec, Recipe, hookimpl


def build(task):
    """Return an untrained network for images of a task's size, with a task's number of classes."""
    from torch import nn  # here, so that listing plugins does not import torch

    inputs = task.channels * task.height * task.width
    return nn.Sequential(
        nn.Sequential(nn.Flatten(), nn.Linear(inputs, 96), nn.ReLU()),
        nn.Sequential(nn.Linear(96, 96), nn.ReLU()),
        nn.Linear(96, task.num_classes),
    )


@hookimpl
def register_models():
    """Offer `my-plugin`."""
    return [
        ModelSpec(
            name="my-plugin",
            summary="two hidden layers of 96 ReLU units",
            build=build,
            recipe=Recipe(optimizer="adam", lr=1e-3, batch_size=64, max_epochs=500),
            layers=("0", "1"),  # the modules that decoders read
        )
    ]
