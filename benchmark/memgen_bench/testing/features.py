"""The checks of the contract for label-free features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench.errors import NotApplicable
from memgen_bench.plugin.specs import Task
from memgen_bench.testing.check import (
    Broken,
    Inapplicable,
    check,
    demand,
    described,
    leaves_the_process_alone,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_bench.plugin.specs import FeaturesSpec

TASKS = (
    Task(channels=1, height=28, width=28, num_classes=10),
    Task(channels=3, height=16, width=16, num_classes=10),
    Task(channels=1, height=1, width=40, num_classes=10),
)
COUNT = 60  # images
CLOSE = 1e-3  # largest difference of features that are the same, in standard deviations


@dataclass(frozen=True)
class FeaturesBench:
    """Features to check on images that are random but smooth.

    Attributes:
        spec: The specification of the features.
    """

    spec: FeaturesSpec

    @cached_property
    def task(self) -> Task:
        """The first of `TASKS` that the features apply to.

        Raises:
            Inapplicable: They apply to none.
            Broken: Their shape is not known.
        """
        reasons = []
        for task in TASKS:
            try:
                self.spec.shape(task)
            except NotApplicable as reason:
                reasons.append(str(reason))
            except Exception as error:
                raise Broken(f"shape({task}) fails with {error!r}; mend it") from error
            else:
                return task
        raise Inapplicable(reasons[-1])

    @cached_property
    def images(self) -> npt.NDArray[np.float32]:
        """Images of the task, N×C×H×W, with neighbouring pixels alike."""
        task, rng = self.task, np.random.default_rng(0)
        images = rng.normal(size=(COUNT, task.channels, task.height, task.width))
        for axis in (2, 3):
            images = images + np.roll(images, 1, axis)
        return images.astype(np.float32)

    @cached_property
    def found(self) -> npt.NDArray[Any]:
        """The features of all images, by a fit of their own."""
        return self.fitted_anew(self.images.copy())[0]

    def exercise(self) -> None:
        """Fit the features and transform all images."""
        self.fitted_anew(self.images.copy())

    def fitted_anew(self, *batches: npt.NDArray[np.float32]) -> list[npt.NDArray[Any]]:
        """Fit the features on all images, and return those of each batch.

        Raises:
            Broken: The features fail.
        """
        try:
            features = self.spec.build()
            features.fit(self.images.copy(), 0)
            return [np.asarray(features.transform(images)) for images in batches]
        except Exception as error:
            raise Broken(
                f"build(), fit() or transform() fails on {COUNT} images of shape "
                f"{list(self.images.shape[1:])}: {type(error).__name__}: {error}; mend it"
            ) from error


@check(essential=True)
def returns_its_shape(features: FeaturesBench) -> None:
    """Every image has features of the shape that is stated, and all of them are numbers."""
    found = features.found
    stated = tuple(features.spec.shape(features.task))
    wanted = (COUNT, *stated)
    demand(
        found.shape == wanted,
        f"transform() returns {list(found.shape)} for {COUNT} images, not {list(wanted)}; let "
        "shape(task) and transform() agree",
    )
    demand(
        bool(np.isfinite(found).all()),
        f"{np.mean(~np.isfinite(found)):.0%} of the features are NaN or infinite; mend transform()",
    )


@check(essential=True)
def seed_decides(features: FeaturesBench) -> None:
    """One seed gives the same features, whatever else draws random numbers."""
    first, before = features.found, np.random.get_state()
    np.random.seed(1)
    (second,) = features.fitted_anew(features.images.copy())
    np.random.set_state(before)
    demand(
        _alike(first, second),
        "two fits with one seed give different features; draw from the seed and nothing else",
    )


@check()
def images_stand_alone(features: FeaturesBench) -> None:
    """An image's features do not depend on the other images of its batch."""
    whole, some = features.fitted_anew(*(features.images[:count].copy() for count in (COUNT, 7)))
    demand(
        _alike(whole[:7], some),
        "the features of 7 images differ from those of the same images among 60; let fit() learn "
        "what transform() needs of other images",
    )


@check()
def leaves_images_alone(features: FeaturesBench) -> None:
    """Images are not written to: others read them, too."""
    images = features.images.copy()
    features.fitted_anew(images)
    demand(
        bool((images == features.images).all()),
        "transform() writes to the images that it is given; work on a copy",
    )


@check()
def tells_images_apart(features: FeaturesBench) -> None:
    """Different images have different features."""
    distinct = len(np.unique(features.found.reshape(COUNT, -1), axis=0))
    demand(
        distinct > COUNT // 2,
        f"{COUNT} different images have {distinct} different features; decoders find nothing in "
        "them",
    )


def _alike(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> bool:
    """Tell whether features differ by less than rounding does."""
    spread = float(np.std(first)) or 1.0
    return first.shape == second.shape and bool(np.abs(first - second).max() <= CLOSE * spread)


CHECKS = (
    described,
    returns_its_shape,
    seed_decides,
    images_stand_alone,
    leaves_images_alone,
    leaves_the_process_alone,
    tells_images_apart,
)
