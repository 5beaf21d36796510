"""A plugin file with a noise that keeps the contract, and with one that does not."""

from __future__ import annotations

_NOISE = """
import numpy as np
from memgen_bench import NoiseSpec, hookimpl


def corrupt(labels, rate, num_classes, rng):
    return np.where(rng.random(len(labels)) < rate, (labels + 1) % num_classes, labels)


def transition(rate, num_classes):
    return np.eye(num_classes) * (1 - rate) + rate * np.roll(np.eye(num_classes), SHIFT, axis=1)


@hookimpl
def register_noises():
    about = {"summary": "k becomes k + 1", "corrupt": corrupt, "transition": transition}
    return [NoiseSpec(name="next", **about)]
"""
FINE, WRONG = _NOISE.replace("SHIFT", "1"), _NOISE.replace("SHIFT", "-1")
