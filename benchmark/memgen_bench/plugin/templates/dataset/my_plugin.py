"""The data set `my-plugin`: stripes in four directions, made in memory.

A data set on disk also names the `files` that it reads, and may offer `download` and `import_from`.
"""

import numpy as np

from memgen_bench import Data, DatasetSpec, hookimpl

SIZE = 8
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))  # each class's direction


def stripes(count, rng):
    """Return images N×1×8×8 in about [-1, 1], and labels 0..3."""
    labels = np.arange(count) % len(SHIFTS)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    down, right = np.array(SHIFTS)[labels, :, None, None].transpose(1, 0, 2, 3)
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    images = np.sin(down * rows + right * columns + phase) + rng.normal(0, 0.3, (count, SIZE, SIZE))
    return images[:, None].astype(np.float32), labels.astype(np.int64)


def load(data_dir):
    """Return images exactly as a network sees them, and their true labels."""
    rng = np.random.default_rng(0)  # a fixed seed: every load gives the same images
    train_x, train_y = stripes(800, rng)
    test_x, test_y = stripes(400, rng)
    return Data(train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y)


@hookimpl
def register_datasets():
    """Offer `my-plugin`."""
    return [
        DatasetSpec(
            name="my-plugin", summary="8x8 stripes in 4 directions, made in memory", load=load
        )
    ]
