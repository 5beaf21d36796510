"""The width of the vectors that decoders get of a layer: wide maps are pooled; pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from memgen_bench.errors import NotApplicable, one_line
from memgen_bench.plan.plan import Layer
from memgen_bench.protocol import FEATURES

if TYPE_CHECKING:
    from memgen_bench.plugin.specs import FeaturesSpec, Task


def describe_layer(
    name: str,
    index: int,
    depth: float,
    shape: tuple[int, ...],
    max_layer_dim: int,
    *,
    channels_last: bool = False,
) -> Layer:
    """Describe a layer, pooled where it is a map that is wider than the limit.

    Args:
        name: The layer's name.
        index: Its position.
        depth: Its depth in [0, 1].
        shape: The shape of its output for one image: D, tokens × channels, C×H×W or H×W×C.
        max_layer_dim: Widest map that is not pooled; 0 for no limit. Vectors are never pooled.
        channels_last: Whether a map's channels come last.
    """
    width = math.prod(shape)
    layer = Layer(name=name, index=index, depth=depth, dim=width, width=width)
    if len(shape) == 1 or not max_layer_dim or width <= max_layer_dim:
        return layer
    last = len(shape) == 2 or channels_last
    channels, extent = (shape[-1], shape[:-1]) if last else (shape[0], shape[1:])
    grid = _grid(channels, extent, max_layer_dim)
    return Layer(
        name=name,
        index=index,
        depth=depth,
        dim=channels * math.prod(grid),
        width=width,
        grid=grid,
        channels_last=channels_last,
    )


def features_layers(
    spec: FeaturesSpec, task: Task, max_layer_dim: int
) -> tuple[tuple[Layer, ...], str]:
    """Describe the only layer of label-free features.

    Returns:
        The layer, and the reason why there is none; one of them is empty.

    Raises:
        NotApplicable: The features do not apply to such images.
    """
    try:
        shape = tuple(map(int, spec.shape(task)))
    except NotApplicable:
        raise
    except Exception as error:  # its readings will fail with it
        return (), f"the shape of features {spec.name!r} is not known: {one_line(error)}"
    return (describe_layer(FEATURES, 0, 0.0, shape, max_layer_dim),), ""


def _grid(channels: int, extent: tuple[int, ...], limit: int) -> tuple[int, ...]:
    """Return the finest square grid whose flattened width is within the limit, or one cell."""
    for side in range(max(extent), 1, -1):
        grid = tuple(min(side, size) for size in extent)
        if channels * math.prod(grid) <= limit:
            return grid
    return (1,) * len(extent)
