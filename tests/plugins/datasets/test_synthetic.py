from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memgen_plugins.datasets.synthetic import register_datasets

if TYPE_CHECKING:
    from memgen_bench import Data

NOWHERE = Path("no-data-root-is-needed")


@pytest.fixture(scope="module")
def noise() -> Data:
    (spec,) = register_datasets()
    return spec.load(NOWHERE)


def test_shapes_types_and_range(noise: Data) -> None:
    assert noise.train_x.shape == (1000, 1, 8, 8)
    assert noise.test_x.shape == (500, 1, 8, 8)
    assert noise.train_x.dtype == noise.test_x.dtype == np.float32
    assert noise.train_y.dtype == noise.test_y.dtype == np.int64
    assert -1 <= noise.train_x.min() < -0.99
    assert 0.99 < noise.train_x.max() <= 1


def test_classes_are_balanced(noise: Data) -> None:
    assert np.bincount(noise.train_y).tolist() == [100] * 10
    assert np.bincount(noise.test_y).tolist() == [50] * 10


def test_pixels_are_uniform_and_say_nothing_about_the_class(noise: Data) -> None:
    pixels = noise.train_x.reshape(1000, 64)
    counts, _ = np.histogram(pixels, bins=10, range=(-1, 1))
    assert np.abs(counts - 6400).max() < 5 * np.sqrt(6400)
    means = np.stack([pixels[noise.train_y == k].mean(axis=0) for k in range(10)])
    z = means / np.sqrt(1 / 3 / 100)  # a uniform variable on [-1, 1] has variance 1/3
    assert 0.8 < (z**2).mean() < 1.2
    nearest = ((noise.test_x.reshape(500, 1, 64) - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == noise.test_y).mean() < 0.16  # chance is 0.1, its deviation 0.013


def test_the_same_every_time(noise: Data) -> None:
    (spec,) = register_datasets()
    assert np.array_equal(spec.load(NOWHERE).train_x, noise.train_x)
    assert noise.train_x[0, 0, 0, :3] == pytest.approx([0.61521316, 0.4054816, 0.41086975])


def test_reads_no_file() -> None:
    (spec,) = register_datasets()
    assert spec.name == "noise-images"
    assert spec.files(NOWHERE) == ()
    assert spec.summary
    assert spec.citation
