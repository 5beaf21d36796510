"""The width of layers: wide maps are pooled, vectors never; the same for networks and features."""

from __future__ import annotations

import pytest

from memgen_bench import FeaturesSpec, NotApplicable, Task
from memgen_bench.plan.pooling import describe_layer, features_layers

TASK = Task(channels=3, height=32, width=32, num_classes=10)


@pytest.mark.parametrize(
    ("shape", "limit", "dim", "grid"),
    [
        ((5000,), 1024, 5000, None),
        ((3, 32, 32), 0, 3072, None),
        ((3, 32, 32), 3072, 3072, None),
        ((3, 32, 32), 1024, 972, (18, 18)),
        ((64, 1, 40), 1024, 1024, (1, 16)),
        ((2000, 4, 4), 1024, 2000, (1, 1)),
        ((50, 96), 1024, 960, (10,)),
    ],
    ids=str,
)
def test_a_map_is_pooled_to_the_finest_grid_within_the_limit(
    shape: tuple[int, ...], limit: int, dim: int, grid: tuple[int, ...] | None
) -> None:
    layer = describe_layer("x", 1, 0.5, shape, limit)
    assert (layer.dim, layer.grid) == (dim, grid)


def test_a_map_with_channels_last_is_the_same_map() -> None:
    first = describe_layer("x", 1, 0.5, (8, 16, 16), 128)
    last = describe_layer("x", 1, 0.5, (16, 16, 8), 128, channels_last=True)
    assert (first.dim, first.grid) == (last.dim, last.grid) == (128, (4, 4))


def features(shape: object) -> FeaturesSpec:
    def of(task: Task) -> tuple[int, ...]:
        if isinstance(shape, BaseException):
            raise shape
        return shape  # type: ignore[return-value]

    return FeaturesSpec(name="odd", summary="", build=lambda: None, shape=of)  # type: ignore[arg-type,return-value]


def test_features_have_one_layer_that_is_pooled_as_a_networks_is() -> None:
    ((layer,), fault) = features_layers(features((3, 32, 32)), TASK, 1024)
    assert (layer.name, layer.index, layer.depth, fault) == ("features", 0, 0.0, "")
    assert layer.dim == describe_layer("x", 1, 0.5, (3, 32, 32), 1024).dim


def test_features_without_a_shape_are_a_fault_and_those_that_do_not_apply_are_left_out() -> None:
    layers, fault = features_layers(features(ValueError("no idea")), TASK, 0)
    assert layers == ()
    assert "'odd'" in fault
    assert "no idea" in fault
    with pytest.raises(NotApplicable):
        features_layers(features(NotApplicable("only signals")), TASK, 0)
