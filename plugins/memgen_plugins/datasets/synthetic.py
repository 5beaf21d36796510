"""Random pixels with random classes: nothing can be learnt from them, only memorized."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import Data, DatasetSpec, hookimpl

if TYPE_CHECKING:
    from pathlib import Path

_TRAIN_SIZE = 1000
_TEST_SIZE = 500
_CLASSES = 10
_SHAPE = (1, 8, 8)
_SEED = 19671987  # part of the data set: another seed makes another version


def load_noise_images(data_dir: Path) -> Data:
    """Return uniform pixels in [-1, 1], and balanced labels that do not depend on them."""
    size = _TRAIN_SIZE + _TEST_SIZE
    pixels = np.random.default_rng(_SEED).random((size, *_SHAPE))
    images = (2 * pixels - 1).astype(np.float32)
    labels = np.arange(size, dtype=np.int64) % _CLASSES
    return Data(
        train_x=images[:_TRAIN_SIZE],
        train_y=labels[:_TRAIN_SIZE],
        test_x=images[_TRAIN_SIZE:],
        test_y=labels[_TRAIN_SIZE:],
    )


@hookimpl
def register_datasets() -> list[DatasetSpec]:
    """Offer `noise-images`."""
    return [
        DatasetSpec(
            name="noise-images",
            summary="8x8 random pixels, 10 classes independent of them; made in memory",
            citation="Zhang et al. 2017, arXiv 1611.03530",
            version=1,
            load=load_noise_images,
        )
    ]
