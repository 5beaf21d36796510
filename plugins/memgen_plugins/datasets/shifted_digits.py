"""scikit-learn's digits at random places of a larger canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import Data, DatasetSpec, hookimpl
from memgen_plugins.datasets.sklearn_digits import digits_files, load_digits

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from memgen_bench.arrays import Images

_SIDE = 16  # of the canvas
_COPIES = 4  # of each training image, at different places
_BLACK = -1.0
_SEED = 18168  # part of the data set: another seed makes another version


def shifted(
    images: Images, side: int, copies: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Place images on black canvases, each image at several different positions.

    Args:
        images: N square images, N×1×S×S.
        side: Height and width of the canvas.
        copies: The number of copies of each image.
        rng: The random stream, of one `random()` draw for each image and position; the smallest
            draws of an image choose its positions.

    Returns:
        The copies·N images, all first copies before all second copies.
    """
    size = images.shape[-1]
    offsets = side - size + 1
    order = np.argsort(rng.random((len(images), offsets**2)), axis=1, kind="stable")
    canvases = np.full((copies, len(images), 1, side, side), _BLACK, np.float32)
    for copy in range(copies):
        for canvas, image, place in zip(canvases[copy], images, order[:, copy], strict=True):
            top, left = divmod(int(place), offsets)
            canvas[:, top : top + size, left : left + size] = image
    return canvases.reshape(-1, 1, side, side)


def load_shifted_digits(data_dir: Path) -> Data:
    """Return 5188 training images, four of each of 1297 digits, and 500 test images of 16×16.

    Training and test digits are those of `digits`: no digit is in both subsets. Each test digit has
    one position, so that test images are independent.
    """
    digits, rng = load_digits(data_dir), np.random.default_rng(_SEED)
    return Data(
        train_x=shifted(digits.train_x, _SIDE, _COPIES, rng),
        train_y=np.tile(digits.train_y, _COPIES),
        test_x=shifted(digits.test_x, _SIDE, 1, rng),
        test_y=digits.test_y,
    )


@hookimpl
def register_datasets() -> list[DatasetSpec]:
    """Offer `digits-shifted`."""
    return [
        DatasetSpec(
            name="digits-shifted",
            summary="8x8 digits at random places of 16x16, four copies of each; made in memory",
            citation="Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits",
            version=1,
            load=load_shifted_digits,
            files=digits_files,
        )
    ]
