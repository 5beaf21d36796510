"""Labelled image files, decoded with Pillow.

Each load decodes all images again, into memory (Tiny ImageNet: 110,000 small files, 5.4 GB).
Nothing decoded is kept on disk, since a stored copy could be out of date.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import Data, DataError
from memgen_bench.wording import counted
from memgen_plugins.datasets.pixels import read_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.arrays import Images

Samples = Sequence[tuple[str, int]]  # image file, class


def load_images(train: Samples, test: Samples, size: int | None = None) -> Data:
    """Decode image files to RGB in [0, 1].

    Args:
        train: Training images.
        test: Test images.
        size: Height and width that images are resized and cropped to; None: as they are.

    Raises:
        DataError: An image cannot be read, or differs from the first one in size.
    """
    decoder = _Decoder(train[0][0], size)
    data = Data(
        train_x=decoder.images(train),
        train_y=np.array([k for _, k in train], dtype=np.int64),
        test_x=decoder.images(test),
        test_y=np.array([k for _, k in test], dtype=np.int64),
    )
    decoder.warn()
    return data


class _Decoder:
    """Decodes images of one size, and remembers what is to be said of them.

    Args:
        first: The file that the others are compared with.
        size: See `load_images`.
    """

    def __init__(self, first: str, size: int | None) -> None:
        self._first, self._size = first, size
        self._remarks: dict[str, list[str]] = {}
        self._shape = self._decode(first).shape
        self._remarks.clear()  # it is decoded again with the others

    def images(self, samples: Samples) -> Images:
        images = np.empty((len(samples), *self._shape), dtype=np.float32)
        for image, (file, _) in zip(images, samples, strict=True):
            pixels = self._decode(file)
            if pixels.shape != self._shape:
                raise DataError(
                    f"{printable(file)}: {_size(pixels.shape)} pixels, but "
                    f"{printable(self._first)} has {_size(self._shape)}; all images of a data set "
                    "must have the same size: resize them, or let the name's end, as in "
                    "folder/<path>@64, do so"
                )
            image[...] = pixels
        return images

    def warn(self) -> None:
        """Warn of each remark once, with the number of files and the first of them."""
        for remark, files in self._remarks.items():
            images = counted(len(files), "image")
            warnings.warn(f"{images} (as {printable(files[0])}): {remark}", stacklevel=3)

    def _decode(self, file: str) -> Images:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                pixels, remarks = read_pixels(file, self._size)
        except MemoryError:
            raise
        except Exception as error:
            raise DataError(
                f"{printable(file)}: {reason(error)}; replace or remove the image"
            ) from error
        said = [reason(w.message) for w in caught if w.category is UserWarning]
        for remark in dict.fromkeys([*remarks, *said]):
            self._remarks.setdefault(remark, []).append(file)
        return pixels


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[2]}"


def printable(path: str | Path) -> str:
    """Return a path in one line of text, whatever bytes are in it."""
    text = os.fsencode(path).decode("utf-8", errors="backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def reason(error: BaseException | str) -> str:
    """Return an exception's message in one line."""
    return " ".join(str(error).split()) or type(error).__name__
