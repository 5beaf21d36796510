"""The data set `rings`: rings of four sizes somewhere in a noisy image, made in memory."""

import numpy as np

from memgen_bench import Data, DatasetSpec, hookimpl

SIZE = 12
RADII = np.array([1.5, 2.5, 3.5, 4.5])  # one a class, in pixels
SEED = 4  # part of the data set: another seed makes another version


def rings(count, rng):
    """Return images N×1×12×12 in about [-1, 1], and labels 0..3."""
    labels = np.arange(count, dtype=np.int64) % len(RADII)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    down, right = rng.uniform(4.5, 6.5, (2, count, 1, 1))
    distance = np.hypot(rows - down, columns - right)
    ring = 2 * np.exp(-2 * (distance - RADII[labels, None, None]) ** 2) - 1
    images = ring + rng.normal(0, 0.2, ring.shape)
    return images[:, None].astype(np.float32), labels


def load(data_dir):
    """Return 800 training and 400 test images."""
    rng = np.random.default_rng(SEED)
    train_x, train_y = rings(800, rng)
    test_x, test_y = rings(400, rng)
    return Data(train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y)


@hookimpl
def register_datasets():
    """Offer `rings`."""
    return [
        DatasetSpec(
            name="rings", summary="12x12 rings of 4 sizes, 800 + 400, made in memory", load=load
        )
    ]
