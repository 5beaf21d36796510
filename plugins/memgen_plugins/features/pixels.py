"""The images themselves, as the simplest of label-free features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from memgen_bench import FeaturesSpec, hookimpl

if TYPE_CHECKING:
    from memgen_bench import Task
    from memgen_bench.arrays import Images


class Pixels:
    """The pixels of an image, unchanged."""

    def fit(self, images: Images, seed: int) -> Self:
        """Learn nothing."""
        return self

    def transform(self, images: Images) -> Images:
        """Return N images, N×C×H×W, as they are."""
        return images


def _shape(task: Task) -> tuple[int, ...]:
    return (task.channels, task.height, task.width)


@hookimpl
def register_features() -> list[FeaturesSpec]:
    """Offer the pixels."""
    return [
        FeaturesSpec(
            name="pixels", summary="the images' own pixels, unchanged", build=Pixels, shape=_shape
        )
    ]
