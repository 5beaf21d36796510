from __future__ import annotations

import pytest
import torch

from memgen_bench import NotApplicable, Task, load_registry
from memgen_bench.network.layers import find_layers

SIGNALS = Task(channels=1, height=1, width=40, num_classes=10)
MODELS = load_registry().models


@pytest.mark.parametrize(("name", "channels"), [("conv1d", 25), ("conv1d-wide", 100)])
def test_maps_are_those_of_the_paper(name: str, channels: int) -> None:
    layers = {layer.name: layer.width for layer in find_layers(MODELS[name], SIGNALS, 0)}
    assert layers == {
        "conv1": 19 * channels,
        "conv2": 10 * channels,
        "conv3": 5 * channels,
        "fc1": 128,
        "logits": 10,
    }


def test_maps_are_pooled_along_the_signal() -> None:
    layers = {layer.name: layer for layer in find_layers(MODELS["conv1d"], SIGNALS, 128)}
    assert layers["conv1"].grid == (1, 5)
    assert layers["conv1"].dim == 125


def test_a_convolution_is_the_one_along_the_signal() -> None:
    module, x = MODELS["conv1d"].build(SIGNALS), torch.rand(3, 1, 1, 40)
    conv = module.get_submodule("conv1.0")
    assert isinstance(conv, torch.nn.Conv2d)
    expected = torch.nn.functional.conv1d(
        x[:, :, 0], conv.weight[:, :, 0], conv.bias, stride=2, padding=1
    )
    torch.testing.assert_close(conv(x)[:, :, 0], expected)


@pytest.mark.parametrize("name", ["conv1d", "conv1d-wide"])
def test_images_are_refused(name: str) -> None:
    with pytest.raises(NotApplicable, match="signals of height 1, not of height 8"):
        find_layers(MODELS[name], Task(channels=1, height=8, width=8, num_classes=10), 0)
