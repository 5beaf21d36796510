"""Networks that start from weights on this machine: the right ones, on the right pixels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import huggingface_hub.constants
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional

from memgen_bench import ModelSpec, NotApplicable, Task, UsageError, load_registry
from memgen_bench.errors import TrainingError
from memgen_bench.messages import RunSettings
from memgen_bench.network.layers import find_layers
from memgen_bench.network.statistics import estimate_statistics
from memgen_bench.network.trainer import Trainer
from memgen_bench.network.training import initial_module

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

MODELS = load_registry().models
TASK = Task(channels=3, height=40, width=40, num_classes=4)
TAG = "r160_in1k"  # timm's default one for its test models


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights, and a cache of timm's in which there is nothing."""
    monkeypatch.setenv("MEMGEN_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def official(architecture: str, num_classes: int = 1000) -> nn.Module:
    """A model of timm with weights and statistics that no fresh one has."""
    torch.manual_seed(9)
    module: nn.Module = timm.create_model(architecture, num_classes=num_classes)
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    return module.eval()


def saved(module: nn.Module, file: Path) -> nn.Module:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(module.state_dict(), file)
    return module


def spec(name: str) -> ModelSpec:
    return MODELS.find(f"timm/{name}@pretrained")


@pytest.mark.parametrize(
    ("name", "classifier"),
    [
        ("test_resnet", "fc"),
        ("test_vit", "head"),
        ("test_convnext", "head.fc"),
        ("levit_128s", "head"),
    ],
)
@pytest.mark.parametrize("num_classes", [1000, 7, 0])
def test_weights_are_those_of_the_file_and_the_classifier_is_new(
    name: str, classifier: str, num_classes: int, folder: Path
) -> None:
    given = saved(official(name, num_classes), folder / f"{name}.safetensors").state_dict()
    modules = [initial_module(spec(name), TASK, seed) for seed in (0, 0, 1)]
    first, again, other = (module.state_dict() for module in modules)
    assert modules[0](torch.rand(2, 3, 40, 40)).shape == (2, TASK.num_classes)
    new = {key for key in first if key.startswith(classifier)}
    assert first.keys() - new == {key for key in given if not key.startswith(classifier)}
    for key in first.keys() - new:
        assert (first[key] == given[key]).all(), key
    assert all((first[key] == again[key]).all() for key in new)
    assert any((first[key] != other[key]).any() for key in new)


@pytest.mark.parametrize(("channels", "pixel_range"), [(3, (0, 1)), (3, (-1, 1)), (1, (0, 0.9))])
def test_pixels_are_standardised_as_in_pretraining(
    channels: int, pixel_range: tuple[float, float], folder: Path
) -> None:
    given: Any = saved(official("test_resnet"), folder / "test_resnet.safetensors")
    low, high = pixel_range
    images = torch.rand(2, channels, 40, 40) * (high - low) + low
    task = Task(channels=channels, height=40, width=40, num_classes=4, pixel_range=pixel_range)
    ours: Any = initial_module(spec("test_resnet"), task, 0)
    between = (images + 1) / 2 if low < 0 else images
    config = given.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        expected = given.forward_head(
            given.forward_features((between.expand(2, 3, 40, 40) - mean) / std), pre_logits=True
        )
        seen: list[torch.Tensor] = []
        ours.fc.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        ours(images)
    torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ({"pixel_range": (-2.1, 2.6)}, r"pixels lie in \[-2.1, 2.6\]"),
        ({"channels": 4}, "images have 4 channels, not 1 or 3"),
    ],
)
def test_other_images_are_refused(task: dict[str, Any], says: str, folder: Path) -> None:
    saved(official("test_resnet"), folder / "test_resnet.safetensors")
    with pytest.raises(NotApplicable, match=says):
        spec("test_resnet").build(Task(**{**vars(TASK), **task}))


def test_layers_are_those_of_random_weights(folder: Path) -> None:
    for name in ("test_resnet", "test_vit"):
        saved(official(name), folder / f"{name}.safetensors")
        plain = MODELS.find(f"timm/{name}")
        assert spec(name).version == plain.version
        assert find_layers(spec(name), TASK, 0) == find_layers(plain, TASK, 0)


def test_images_are_enlarged_to_what_the_network_needs(folder: Path) -> None:
    given: Any = saved(official("test_vit"), folder / "test_vit.safetensors")
    ours: Any = initial_module(spec("test_vit"), TASK, 0)
    images = torch.rand(2, 3, 40, 40)
    larger = functional.interpolate(images, size=(160, 160), mode="bilinear", align_corners=False)
    seen: list[torch.Tensor] = []
    ours.patch_embed.register_forward_hook(lambda _, args, out: seen.append(out))
    with torch.no_grad():
        ours(images)
        torch.testing.assert_close(seen[0], given.patch_embed((larger - 0.5) / 0.5))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("test_resnet", "test_resnet.safetensors"),
        ("test_resnet", f"test_resnet.{TAG}.safetensors"),
        (f"test_resnet.{TAG}", f"test_resnet.{TAG}.safetensors"),
        ("test_resnet.mine", "test_resnet.mine.safetensors"),
        ("test_resnet", f"../hub/models--timm--test_resnet.{TAG}/snapshots/1/model.safetensors"),
    ],
)
def test_weights_are_found_where_users_and_timm_put_them(
    name: str, file: str, folder: Path
) -> None:
    saved(official("test_resnet"), folder / file)
    if "hub" in file:
        revision = folder / f"../hub/models--timm--test_resnet.{TAG}/refs/main"
        revision.parent.mkdir()
        revision.write_text("1")
    assert spec(name).name == f"timm/{name}@pretrained"
    assert spec(name).parameters["weights"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("test_resnet", r"test_resnet.safetensors .*or let timm .*create_model\('test_resnet'"),
        (f"test_resnet.{TAG}", rf"create_model\('test_resnet.{TAG}', pretrained=True\)$"),
        ("test_resnet.mine", rf"mine.safetensors .*timm has weights with the tags {TAG}$"),
    ],
)
def test_what_is_not_there_is_told_with_its_place(name: str, says: str, folder: Path) -> None:
    (folder / f"{name}.pth").write_bytes(b"a pickle")
    with pytest.raises(UsageError, match=says) as caught:
        spec(name)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_holds_other_weights_is_refused(folder: Path) -> None:
    file = folder / "test_resnet.safetensors"
    for write, says in (
        (lambda: file.write_bytes(b"a pickle, perhaps"), "holds no safetensors"),
        (lambda: saved(official("test_convnext"), file), "not hold the weights of test_resnet"),
        (lambda: save_file({"x": torch.ones(1)}, file), "not hold the weights of test_resnet"),
    ):
        write()
        with pytest.raises(UsageError, match=says):
            find_layers(spec("test_resnet"), TASK, 0)


def test_weights_are_part_of_the_identity(
    plan_digits: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, name = folder / "test_resnet.safetensors", "timm/test_resnet@pretrained"
    saved(official("test_resnet"), file)
    first, again = (plan_digits(models=[name]).networks for _ in range(2))
    assert [one.network_id for one in first] == [one.network_id for one in again]
    changed = official("test_resnet")
    next(changed.parameters()).data[0] += 1
    saved(changed, file)
    other = plan_digits(models=[name]).networks
    assert not {one.network_id for one in first} & {one.network_id for one in other}
    random = plan_digits(models=["timm/test_resnet"]).networks
    assert not {one.network_id for one in random} & {one.network_id for one in other}


def test_weights_that_change_after_the_plan_are_not_taken(folder: Path) -> None:
    file = folder / "test_resnet.safetensors"
    saved(official("test_resnet"), file)
    planned = spec("test_resnet")
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(UsageError, match="was changed meanwhile"):
        planned.build(TASK)


def test_a_worker_with_other_weights_than_the_plan_stops(
    plan_digits: Any, folder: Path, tmp_path: Path
) -> None:
    file = folder / "test_resnet.safetensors"
    saved(official("test_resnet"), file)
    planned = plan_digits(models=["timm/test_resnet@pretrained"]).networks[-1]
    saved(official("test_resnet", 7), file)
    settings = RunSettings(plugin_files=(), data_dir=tmp_path, network_dir=tmp_path, device="cpu")
    data: Any = SimpleNamespace(registry=load_registry())
    with pytest.raises(TrainingError, match="other parameters here than in the plan"):
        Trainer(planned, data, torch.device("cpu"), settings, print).network()


def test_pretrained_statistics_stay_in_the_untrained_network(folder: Path) -> None:
    given = saved(official("test_resnet"), folder / "test_resnet.safetensors")
    module = initial_module(spec("test_resnet"), TASK, 0)
    images = np.random.default_rng(0).random((20, 3, 40, 40), np.float32)
    estimate_statistics(module, images, seed=0, device=torch.device("cpu"))
    for key, value in given.state_dict().items():
        assert key.startswith("fc.") or (module.state_dict()[key] == value).all(), key
