"""Any architecture of timm can be built, run and read, and those that could keep their weights."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch.nn import functional

from memgen_bench import ModelSpec, Task, UsageError, load_registry
from memgen_bench.network.layers import find_layers

path = Path(__file__).parents[3] / "benchmark" / "timm_sweep.py"
found = importlib.util.spec_from_file_location("timm_sweep", path)
assert found
assert found.loader
sweep: Any = sys.modules.setdefault("timm_sweep", importlib.util.module_from_spec(found))
found.loader.exec_module(sweep)

LARGE = 8.0  # million parameters of a model that is built without contents
MODELS = load_registry().models
TASK = Task(channels=3, height=32, width=32, num_classes=10)


def spec(name: str) -> ModelSpec:
    return MODELS.find(f"timm/{name}")


def layers(name: str) -> list[str]:
    return [layer.name for layer in find_layers(spec(name), TASK, 4096)][:-1]


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_vit", "test_efficientnet"])
def test_weights_and_random_state_are_those_of_timm(name: str) -> None:
    torch.manual_seed(3)
    official = timm.create_model(name, num_classes=10)
    after = torch.rand(1)
    torch.manual_seed(3)
    ours = spec(name).build(TASK)
    assert torch.rand(1) == after
    assert ours.training
    state = ours.state_dict()
    for key, value in official.state_dict().items():
        torch.testing.assert_close(state[key], value, rtol=0, atol=0)
    x = torch.randn(2, 3, 32, 32)
    config: Any = official.pretrained_cfg
    size = config["input_size"][1:] if name == "test_vit" else (32, 32)
    enlarged = functional.interpolate(x, size=size, mode="bilinear", align_corners=False)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), official.eval()(enlarged))


def test_versions_are_raised_where_class_tokens_are_read_apart() -> None:
    for name in ("test_resnet", "test_convnext", "resnet18", "swin_tiny_patch4_window7_224"):
        assert spec(name).version == 1
    assert spec("test_vit").version == 2


def test_class_tokens_and_patches_of_a_transformer_are_read_apart() -> None:
    names = [f"blocks.{i}.{part}" for i in range(6) for part in ("class_token", "patch_mean")]
    assert layers("test_vit") == names
    torch.manual_seed(0)
    module, x = spec("test_vit").build(TASK).eval(), torch.randn(3, 3, 160, 160)
    seen: dict[str, torch.Tensor] = {}
    for name in ("blocks.5", *names[-2:]):
        child = module.get_submodule(name)
        child.register_forward_hook(lambda _, args, out, name=name: seen.update({name: out}))
    with torch.no_grad():
        module(x)
    torch.testing.assert_close(seen[names[-2]], seen["blocks.5"][:, 0])
    torch.testing.assert_close(seen[names[-1]], seen["blocks.5"][:, 1:].mean(1))


@pytest.mark.parametrize("name", ["resnet18.a1_in1k", "vit_base_patch16_224.augreg_in21k"])
def test_a_tag_of_pretrained_weights_is_refused(name: str) -> None:
    architecture, _, tag = name.partition(".")
    message = (
        f"timm/{name}: '{tag}' names pretrained weights; ask for timm/{name}@pretrained .* or for "
        f"timm/{architecture} to"
    )
    with pytest.raises(UsageError, match=message):
        spec(name)


@pytest.mark.parametrize("name", ["resnet19", "resnet19.a1_in1k"])
def test_an_unknown_architecture_gets_a_hint(name: str) -> None:
    with pytest.raises(UsageError, match=f"no model 'timm/{name}'; did you mean timm/resnet"):
        spec(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("pit_ti_224", "transformers.0"),  # tuples of a map and class tokens
        ("crossvit_tiny_240", "blocks.0.class_token"),  # lists
        ("coat_lite_tiny", "serial_blocks1.0.mlp.act"),  # feature modules that are never called
        ("inception_v3", "Conv2d_2b_3x3"),  # too small images
        ("convit_tiny", "blocks.0"),  # class tokens that join late
    ],
)
def test_what_could_not_be_read_at_first_can(name: str, first: str) -> None:
    assert layers(name)[0] == first


def table() -> list[list[str]]:
    """The cells of each row of the page's table: family, model, millions of parameters, layers."""
    lines = sweep.PAGE.read_text().partition(sweep.HEAD)[2].splitlines()
    return [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if "|" in line]


def test_the_page_has_each_family_of_the_timm_that_it_names() -> None:
    text = sweep.PAGE.read_text()
    if f"timm {timm.__version__}:" not in text:
        pytest.skip("the page is of another version of timm; python benchmark/timm_sweep.py")
    assert {family: model for family, model, *_ in table()} == sweep.models()
    read = sum(not layers.startswith("none") for *_, layers in table())
    assert f"of {read} of {len(table())} families a model is read" in text
    assert read == len(table())


@pytest.mark.slow
def test_models_of_the_page_can_be_read() -> None:
    """A model of each tenth family, small ones with contents; `MEMGEN_TIMM=all` reads all."""
    step = 1 if os.environ.get("MEMGEN_TIMM") == "all" else 10
    there = [cells for cells in table() if timm.is_model(cells[1])][::step]
    assert len(there) >= 9
    for family, model, millions, layers in there:
        device = "cpu" if float(millions) < LARGE else "meta"
        row = sweep.row_of(family, model, device)
        assert (row.layers, row.reason) == (int(layers), ""), str(row)
