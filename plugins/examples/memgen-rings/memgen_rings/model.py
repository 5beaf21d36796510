"""The model `ring-net`: two convolutions with batch normalisation, and one hidden layer."""

from memgen_bench import ModelSpec, Recipe, hookimpl

WIDTH = 24


def build(task):
    """Return an untrained network for images of a task's size, with a task's number of classes."""
    from torch import nn  # here, so that listing plugins does not import torch

    def block(inputs):
        conv = nn.Conv2d(inputs, WIDTH, 3, padding=1, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.AdaptiveAvgPool2d(4))

    hidden = nn.Sequential(nn.Flatten(), nn.Linear(WIDTH * 16, 128), nn.ReLU())
    network = nn.Sequential()
    network.add_module("conv1", block(task.channels))
    network.add_module("conv2", block(WIDTH))
    network.add_module("hidden", hidden)
    network.add_module("out", nn.Linear(128, task.num_classes))
    return network


@hookimpl
def register_models():
    """Offer `ring-net`."""
    return [
        ModelSpec(
            name="ring-net",
            summary="two 3x3 convolutions with batch normalisation, one hidden layer",
            build=build,
            # batch normalisation: right in training mode some epochs before it is in eval mode
            recipe=Recipe(optimizer="adam", lr=2e-3, batch_size=64, min_epochs=150, max_epochs=500),
            layers=("conv1", "conv2", "hidden"),
        )
    ]
