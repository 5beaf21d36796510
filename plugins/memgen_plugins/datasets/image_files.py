"""Labelled image files, listed and decoded with torchvision.

Each load decodes all images again, into memory (Tiny ImageNet: 110,000 small files, 5.4 GB).
Nothing decoded is kept on disk, since a stored copy could be out of date.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench import Data, DataError

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.arrays import Images

Samples = Sequence[tuple[str, int]]  # image file, class


def load_images(train: Samples, test: Samples) -> Data:
    """Decode image files to RGB in [0, 1].

    Raises:
        DataError: An image cannot be read, or differs from the first one in size.
    """
    height, width = _decode(train[0][0]).shape[:2]
    shape = (3, height, width)
    return Data(
        train_x=_decode_all(train, shape, train[0][0]),
        train_y=np.array([k for _, k in train], dtype=np.int64),
        test_x=_decode_all(test, shape, train[0][0]),
        test_y=np.array([k for _, k in test], dtype=np.int64),
    )


def _decode_all(samples: Samples, shape: tuple[int, int, int], first: str) -> Images:
    images = np.empty((len(samples), *shape), dtype=np.float32)
    for image, (file, _) in zip(images, samples, strict=True):
        pixels = _decode(file).transpose(2, 0, 1)
        if pixels.shape != shape:
            raise DataError(
                f"{file}: {_size(pixels.shape)} pixels, but {first} has {_size(shape)}; "
                "all images of a data set must have the same size: resize them"
            )
        image[...] = pixels
    images /= 255
    return images


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[2]}"


def _decode(file: str) -> Any:
    from torchvision.datasets.folder import default_loader

    try:
        return np.asarray(default_loader(file))
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises on damaged files
        raise DataError(f"{file}: {reason(error)}; replace or remove the image") from error


def image_folder(folder: Path) -> Any:
    """List a folder of class folders with torchvision; nothing is decoded."""
    from torchvision.datasets import ImageFolder

    try:
        return ImageFolder(str(folder))
    except OSError as error:
        raise DataError(f"{folder}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """Return an exception's message in one line."""
    return " ".join(str(error).split()) or type(error).__name__
