"""The label noise `my-plugin`: a chosen label becomes one of its two neighbours."""

import numpy as np

from memgen_bench import NoiseSpec, hookimpl


def corrupt(labels, rate, num_classes, rng):
    """Return new labels: class k becomes k - 1 or k + 1, around the circle."""
    chosen = rng.random(len(labels)) < rate  # drawn first: a larger rate chooses more, and these
    step = np.where(rng.random(len(labels)) < 0.5, 1, -1)
    return np.where(chosen, (labels + step) % num_classes, labels)


def transition(rate, num_classes):
    """Return the K×K matrix P[true, given] for classes of equal size."""
    eye = np.eye(num_classes)
    neighbours = (np.roll(eye, 1, axis=1) + np.roll(eye, -1, axis=1)) / 2
    return (1 - rate) * eye + rate * neighbours


@hookimpl
def register_noises():
    """Offer `my-plugin`."""
    return [
        NoiseSpec(
            name="my-plugin",
            summary="class k becomes k - 1 or k + 1",
            corrupt=corrupt,
            transition=transition,
        )
    ]
