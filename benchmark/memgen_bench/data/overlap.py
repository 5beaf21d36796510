"""Test images that are also training images, which a network has learned by heart."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memgen_bench.arrays import Images
    from memgen_bench.plugin.specs import Data

TOLERATED = 0.001  # share of the test images; Fashion-MNIST itself repeats a few


def overlap(data: Data) -> int:
    """Count the test images that are also training images."""
    known = set(_hashes(data.train_x))
    return sum(image in known for image in _hashes(data.test_x))


def overlap_notices(data: Data) -> tuple[str, ...]:
    """Return a line on shared images for the user, or nothing if they are few."""
    shared, count = overlap(data), len(data.test_x)
    if shared <= TOLERATED * count:
        return ()
    return (
        f"{shared} of {count} test images are also training images: accuracies on them do not "
        "show generalization",
    )


def _hashes(images: Images) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
