"""Batches of images: as ever where maps are small, few images where they are large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import memgen_bench
from helpers.plans import DIGITS, suite
from memgen_bench import Task, load_registry
from memgen_bench.network.layers import find_layers
from memgen_bench.plan.batches import images_at_once
from memgen_bench.plan.plan import Layer
from memgen_bench.plan.planner import make_plan
from memgen_bench.protocol import FEATURE_BATCH
from memgen_bench.results.store import read_frame

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.plan.plan import PlannedNetwork

SMALL = Task(channels=3, height=32, width=32, num_classes=10)


def wide(*widths: int) -> list[Layer]:
    return [
        Layer(name=f"l{place}", index=place, depth=0, dim=width, width=width)
        for place, width in enumerate(widths)
    ]


@pytest.mark.parametrize(
    ("widths", "size", "expected"),
    [
        ((8192, 10), 32, 500),  # the widest layer of any committed reading
        ((33_554,), 32, 500),
        ((33_621,), 32, 499),
        ((802_816, 200_704), 224, 20),  # ResNet-18 at 224 pixels
        ((10,), 224, 111),  # the images themselves
        ((16_777_216,), 1024, 4),
        ((), 32, 500),
    ],
)
def test_the_widest_map_decides(widths: tuple[int, ...], size: int, expected: int) -> None:
    task = Task(channels=3, height=size, width=size, num_classes=10)
    assert images_at_once(wide(*widths), task) == expected


def test_pooling_for_decoders_does_not_matter() -> None:
    spec = load_registry().models.find("timm/test_resnet")
    task = Task(channels=3, height=224, width=224, num_classes=10)
    found = {images_at_once(find_layers(spec, task, limit), task) for limit in (0, 1024)}
    assert len(found) == 1
    assert found < set(range(FEATURE_BATCH))


def planned(layers: list[Layer]) -> PlannedNetwork:
    (network,) = make_plan(
        suite(kinds=["untrained"]),
        load_registry(),
        {"digits": DIGITS},
        find_layers=lambda *_: tuple(layers),
        device_type="cpu",
    ).networks
    return network


def test_it_is_part_of_the_identity_only_where_it_is_not_the_usual_one() -> None:
    usual, few = planned(wide(64, 10)), planned(wide(802_816, 10))
    assert "images_at_once" not in usual.identity["initial"]
    assert usual.images_at_once == FEATURE_BATCH
    assert few.identity["initial"]["images_at_once"] == few.images_at_once == 20
    assert usual.network_id != few.network_id


WIDE = """
import torch
from torch import nn
from memgen_bench import ModelSpec, Recipe, hookimpl

class Wide(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.large = nn.Upsample(scale_factor=140)  # 1120 x 1120: 13 images have 64 MiB
        self.norm = nn.BatchNorm1d(64)
        self.out = nn.Linear(64, task.num_classes)

    def forward(self, x):
        if not torch.is_grad_enabled():
            assert len(x) <= 13, f"{len(x)} images at once"
        self.large(x[:, :1])
        return self.out(self.norm(x.flatten(1)))

@hookimpl
def register_models():
    recipe = Recipe(max_epochs=2)
    return [ModelSpec(name="wide", summary="w", build=Wide, layers=("large",), recipe=recipe)]
"""


def test_nothing_but_training_passes_more_images(tmp_path: Path) -> None:
    (tmp_path / "wide.py").write_text(WIDE)
    summary = memgen_bench.run(
        "smoke",
        models=["wide"],
        decoders=["ncm"],
        kinds=["untrained", "clean"],
        train_size=80,
        test_size=20,
        engine="serial",
        results=tmp_path / "results",
        cache_dir=tmp_path,
        plugins=[str(tmp_path / "wide.py")],
    )
    assert summary.failed == 0
    found = read_frame(tmp_path / "results", "readings", ["layer", "status", "message"])
    assert "large" in set(found["layer"])
    assert set(found["status"]) == {"ok"}, set(found["message"])
