"""The number of images that go through a network together; pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from memgen_bench.protocol import FEATURE_BATCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_bench.plan.plan import Layer
    from memgen_bench.plugin.specs import Task

_MOST = 64 << 20  # bytes of the widest output for all images of a batch
_FEWEST = 4  # of which batch normalisation can be estimated, and a rest of two as well


def images_at_once(layers: Sequence[Layer], task: Task) -> int:
    """Return how many images of a task a network takes: 500, and fewer where its maps are large.

    Shapes alone decide it, no budget: the rounding of a network's outputs may depend on it.

    Args:
        layers: The network's layers.
        task: The task that gives the size of the images.
    """
    image = math.prod((task.channels, task.height, task.width))
    widest = max(image, *(layer.width for layer in layers), 1)
    return max(_FEWEST, min(FEATURE_BATCH, _MOST // (4 * widest)))
