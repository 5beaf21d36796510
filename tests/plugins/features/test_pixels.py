"""Pixels as features are the images."""

from __future__ import annotations

import numpy as np

from memgen_bench import Task, load_registry


def test_pixels_are_the_images_whatever_they_were_fitted_on() -> None:
    spec = load_registry().features["pixels"]
    images = np.random.default_rng(0).random((4, 3, 5, 6)).astype(np.float32)
    pixels = spec.build()
    pixels.fit(images[:1], seed=0)
    assert (pixels.transform(images) == images).all()
    assert spec.shape(Task(channels=3, height=5, width=6, num_classes=2)) == (3, 5, 6)
