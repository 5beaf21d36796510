"""Features that break the contract: each fails the check whose name it bears.

A summary holds words that the check's message must contain.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from memgen_bench import FeaturesSpec, hookimpl

RNG = np.random.default_rng()


class Flat:
    def fit(self, images: Any, seed: int) -> Flat:
        self.seed = seed
        return self

    def transform(self, images: Any) -> Any:
        return images.reshape(len(images), -1).astype(np.float32)


class Halved(Flat):
    def transform(self, images: Any) -> Any:
        return super().transform(images)[:, ::2]


class Logarithm(Flat):
    def transform(self, images: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.log(super().transform(images))


class Projected(Flat):
    def fit(self, images: Any, seed: int) -> Projected:
        self.signs = np.random.choice([-1, 1], images[0].size)
        return self

    def transform(self, images: Any) -> Any:
        return super().transform(images) * self.signs


class Standardised(Flat):
    def transform(self, images: Any) -> Any:
        flat = super().transform(images)
        return flat - flat.mean(axis=0)


class InPlace(Flat):
    def transform(self, images: Any) -> Any:
        flat = super().transform(images).copy()
        images *= 0.5
        return flat


class Rude(Flat):
    def transform(self, images: Any) -> Any:
        np.set_printoptions(precision=2)
        return super().transform(images)


class Constant(Flat):
    def transform(self, images: Any) -> Any:
        return np.ones_like(super().transform(images))


def _shape(task: Any) -> tuple[int, ...]:
    return (task.channels * task.height * task.width,)


def _unknown(task: Any) -> tuple[int, ...]:
    raise KeyError("side")


def _spec(name: str, build: Any, summary: str, shape: Any = _shape) -> FeaturesSpec:
    return FeaturesSpec(name=name, summary=summary, build=build, shape=shape)


@hookimpl
def register_features() -> list[FeaturesSpec]:
    return [
        _spec("described", Flat, ""),
        _spec("returns-its-shape", Halved, "not [60, 784]"),
        _spec("returns-its-shape.nan", Logarithm, "NaN or infinite"),
        _spec("returns-its-shape.unknown", Flat, "fails with KeyError('side')", _unknown),
        _spec("seed-decides", Projected, "different features"),
        _spec("images-stand-alone", Standardised, "7 images differ"),
        _spec("leaves-images-alone", InPlace, "writes to the images"),
        _spec("leaves-the-process-alone", Rude, "numpy.set_printoptions"),
        _spec("tells-images-apart", Constant, "1 different features"),
    ]
