"""Which layers are found, and that what is read from them is what the network computes."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from memgen_bench import ModelSpec, PluginError, Task, load_registry
from memgen_bench.compute import tensor_of
from memgen_bench.decode.activations import extract, stream
from memgen_bench.network.layers import find_layers
from memgen_bench.network.training import predict
from memgen_bench.plan.pooling import features_layers
from memgen_bench.plan.suite import load_suite

CPU = torch.device("cpu")
TASK = Task(channels=1, height=8, width=8, num_classes=10)
COLOUR = Task(channels=3, height=32, width=32, num_classes=10)
GREY = Task(channels=1, height=28, width=28, num_classes=10)
CIFAR100 = Task(channels=3, height=32, width=32, num_classes=100)
TINY = Task(channels=3, height=64, width=64, num_classes=200)
MODELS = load_registry().models


def images(count: int, task: Task = TASK) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, task.channels, task.height, task.width), dtype=np.float32)


class Tangle(nn.Module):
    """In-place activations, a module that is called twice, and batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.mix = nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4 * 64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.conv(x)))
        x = self.act(self.mix(x))
        return self.head(x.flatten(1))  # type: ignore[no-any-return] # a module returns Any


def tangle(layers: tuple[str, ...] | None) -> ModelSpec:
    return ModelSpec(name="tangle", summary="", build=lambda task: Tangle(), layers=layers)


def test_default_layers_are_the_activation_calls_in_order() -> None:
    names = [layer.name for layer in find_layers(tangle(None), TASK, 0)]
    assert names == ["act", "act:2", "logits"]


def test_outputs_are_those_of_the_forward_pass_and_safe_from_in_place_modules() -> None:
    layers = find_layers(tangle(("norm", "act", "mix", "act:2")), TASK, 0)
    module, x = Tangle(), torch.from_numpy(images(7))
    nn.init.normal_(module.norm.running_mean)  # type: ignore[arg-type] # a buffer, set at random
    found = extract(module, x.numpy(), layers, device=CPU)
    with torch.no_grad():
        norm = module.norm(module.conv(x))
        first = norm.clamp(min=0)
        mixed = module.mix(first)
        expected = {
            "norm": norm,
            "act": first,
            "mix": mixed,
            "act:2": mixed.clamp(min=0),
            "logits": module.head(mixed.clamp(min=0).flatten(1)),
        }
    assert list(found) == list(expected)
    assert (norm < 0).any()  # else a spoilt copy would not show
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value.flatten(1).numpy(), atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_feature_does_not_depend_on_the_rest_of_its_batch(name: str) -> None:
    made_for = MODELS[name].tasks or ((COLOUR,) if name == "paper-alexnet" else (TASK,))
    task = made_for[0]
    layers = find_layers(MODELS[name], task, 256)
    torch.manual_seed(0)
    module = MODELS[name].build(task)
    module.train()  # left like this by a training that forgets eval mode
    x = images(6, task)
    together, alone = (
        [
            {key: value.numpy() for key, value in batch.items()}
            for batch in stream(module, x, layers, device=CPU, batch_size=size)
        ]
        for size in (6, 1)
    )
    assert (layers[0].index, layers[-1].name, layers[-1].depth) == (1, "logits", 1)
    for layer in layers:
        single = np.concatenate([batch[layer.name] for batch in alone])
        assert single.shape == (6, layer.dim)
        np.testing.assert_allclose(together[0][layer.name], single, atol=2e-5, rtol=1e-4)


def test_batch_normalisation_in_train_mode_would_have_shown() -> None:
    module, x = Tangle().train(), torch.from_numpy(images(6))
    with torch.no_grad():
        assert not torch.allclose(module(x)[:1], module(x[:1]), atol=1e-3)


def test_wide_maps_are_pooled_to_fit_and_vectors_never() -> None:
    unpooled = {layer.name: layer for layer in find_layers(MODELS["cnn"], TASK, 0)}
    pooled = {layer.name: layer for layer in find_layers(MODELS["cnn"], TASK, 64)}
    assert all(layer.grid is None for layer in unpooled.values())
    assert unpooled["conv1"].dim == unpooled["conv1"].width == 16 * 64
    assert (pooled["conv1"].dim, pooled["conv1"].grid) == (16 * 4, (2, 2))
    assert pooled["conv1"].width == 16 * 64
    assert (pooled["fc1"].dim, pooled["fc1"].grid) == (128, None)
    module, x = MODELS["cnn"].build(TASK), images(5)
    fine = extract(module, x, list(unpooled.values()), device=CPU)["conv1"]
    coarse = extract(module, x, list(pooled.values()), device=CPU)["conv1"]
    cells = fine.reshape(5, 16, 2, 4, 2, 4)
    np.testing.assert_allclose(coarse, cells.mean(axis=(3, 5)).reshape(5, -1), atol=1e-5)


def test_a_map_with_more_channels_than_allowed_is_pooled_to_one_cell() -> None:
    layer = find_layers(MODELS["cnn"], TASK, 10)[0]
    assert (layer.name, layer.grid, layer.dim) == ("conv1", (1, 1), 16)


def test_the_limit_of_core_pools_nothing() -> None:
    core, registry = load_suite("core"), load_registry()
    tasks = {
        "modular-addition/41": Task(channels=1, height=2, width=41, num_classes=41),
        "mnist1d": Task(channels=1, height=1, width=40, num_classes=10),
        "digits-shifted": Task(channels=1, height=16, width=16, num_classes=10),
        "digits": TASK,
    }
    found = {
        layer
        for pair in core.combinations()
        for layer in find_layers(MODELS[pair.model], tasks[pair.dataset], core.max_layer_dim)
    }
    found |= {
        layer
        for name in core.features
        for task in tasks.values()
        for layer in features_layers(registry.features[name], task, core.max_layer_dim)[0]
    }
    assert not [layer.name for layer in found if layer.grid]
    assert max(layer.dim for layer in found) == core.max_layer_dim


def test_depth_runs_from_the_input_at_zero_to_one() -> None:
    layers = find_layers(MODELS["mlp"], TASK, 0)
    assert [layer.depth for layer in layers] == [0.25, 0.5, 0.75, 1]
    assert [layer.index for layer in layers] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "task", "dims"),
    [
        ("paper-mlp", TASK, [128, 512, 2048, 2048, 10]),
        ("paper-cnn", GREY, [576, 250, 250, 250, 10]),
        ("paper-cnn", COLOUR, [1024, 250, 250, 250, 10]),
        ("paper-alexnet", CIFAR100, [256, 4096, 4096, 100]),
        ("paper-alexnet", TINY, [256, 4096, 4096, 200]),
        ("paper-resnet18", COLOUR, [*[16384] * 5, 8192, 4096, 2048, 512, 10]),
    ],
)
def test_the_papers_networks_have_the_papers_widths(name: str, task: Task, dims: list[int]) -> None:
    assert [layer.dim for layer in find_layers(MODELS[name], task, 0)] == dims


def test_timm_layers_come_from_feature_info() -> None:
    names = [layer.name for layer in find_layers(MODELS["timm/test_resnet"], TASK, 128)]
    assert names == ["act1", "layer1", "layer2", "layer3", "layer4", "logits"]


def test_channels_last_maps_of_timm_are_pooled_over_space() -> None:
    spec = MODELS["timm/swin_tiny_patch4_window7_224"]
    layers = find_layers(spec, COLOUR, 1000)
    first = layers[0]
    assert (first.name, first.channels_last, first.grid) == ("layers.0", True, (3, 3))
    assert first.dim == 96 * 9


class Nested(nn.Module):
    """Blocks that output several things, a block that is never called, and one of windows."""

    class Block(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[object, ...]:
            return (x.mean(), [x.reshape(-1, 2), x + 1], x)

    class Windows(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(len(x) * 2, -1)

    def __init__(self, features: tuple[str, ...]) -> None:
        super().__init__()
        self.flat, self.block, self.windows = nn.Flatten(), self.Block(), self.Windows()
        self.unused, self.act, self.head = nn.Identity(), nn.ReLU(), nn.Linear(64, 10)
        self.feature_info = [{"module": name} for name in features]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, several, _ = self.block(self.flat(x))
        self.windows(x)
        return self.head(self.act(several[1]))  # type: ignore[no-any-return] # a module returns Any


def nested(*features: str, layers: tuple[str, ...] | None = None) -> ModelSpec:
    return ModelSpec(name="nested", summary="", build=lambda task: Nested(features), layers=layers)


def test_of_several_outputs_the_first_with_a_row_for_each_image_is_read() -> None:
    layers = find_layers(nested("block", "act"), TASK, 0)
    assert [layer.name for layer in layers] == ["block", "act", "logits"]
    x = images(5)
    found = extract(Nested(()), x, layers, device=CPU)
    np.testing.assert_array_equal(found["block"], x.reshape(5, -1) + 1)


@pytest.mark.parametrize(
    ("features", "names"),
    [
        (("block", "unused", "act"), ["block", "act"]),
        (("windows", "act"), ["act"]),
        (("unused",), ["act"]),  # as without features: every activation
    ],
)
def test_features_without_an_output_are_left_out(
    features: tuple[str, ...], names: list[str]
) -> None:
    layers = find_layers(nested(*features), TASK, 0)
    assert [layer.name for layer in layers] == [*names, "logits"]


@pytest.mark.parametrize("name", ["unused", "windows"])
def test_a_named_layer_without_an_output_is_an_error(name: str) -> None:
    with pytest.raises(PluginError, match=f"no output of a layer '{name}' with a row for each ima"):
        find_layers(nested(layers=("act", name)), TASK, 0)


def test_finding_layers_leaves_the_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    find_layers(MODELS["mlp"], TASK, 0)
    assert torch.rand(1) == expected


def broken(build: object, layers: tuple[str, ...] | None = None) -> ModelSpec:
    return ModelSpec(name="broken", summary="", build=build, layers=layers)  # type: ignore[arg-type]


def linear(outputs: int) -> nn.Module:
    return nn.Sequential(OrderedDict(flat=nn.Flatten(), act=nn.ReLU(), out=nn.Linear(64, outputs)))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (broken(lambda task: linear(7)), r"returns \[2, 7\] for 2 images, not \[2, 10\]"),
        (broken(lambda task: 3), "build.task. returned int, not a Module"),
        (broken(lambda task: 1 / 0), "cannot be built .*ZeroDivisionError"),
        (broken(lambda task: linear(10), ("nowhere",)), "no layer 'nowhere'; its modules are flat"),
        (broken(lambda task: linear(10), ("act:2",)), "no output of a layer 'act:2'"),
        (broken(lambda task: nn.Conv2d(3, 4, 3)), "fails on images of shape .1, 8, 8."),
    ],
)
def test_a_broken_model_is_named_with_the_mend(spec: ModelSpec, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        find_layers(spec, TASK, 0)


def test_a_module_cannot_spoil_the_images() -> None:
    def build(task: Task) -> nn.Module:
        return nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 10))

    spec = ModelSpec(name="spoils", summary="", build=build)
    x = images(5)
    before = x.copy()
    extract(build(TASK), x, find_layers(spec, TASK, 0), device=CPU)
    predict(build(TASK), tensor_of(x, CPU))
    assert (x == before).all()
