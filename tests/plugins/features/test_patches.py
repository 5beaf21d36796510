"""Features of a patch dictionary: their definition, and what they add to pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from memgen_bench import NotApplicable, Task, UsageError, load_registry
from memgen_plugins.features.patches import Patches, window

RNG = np.random.default_rng(0)
IMAGES = RNG.random((60, 2, 12, 14)).astype(np.float32)


def fitted(images: Any = IMAGES, words: int = 8, seed: int = 0) -> Patches:
    return Patches(words).fit(images, seed)


def by_hand(patches: Patches, image: Any) -> Any:
    """One image's sums over quadrants, patch by patch as the source defines them."""
    rows, columns = 12 - 6 + 1, 14 - 6 + 1
    maps = np.zeros((rows, columns, patches.words))
    for row in range(rows):
        for column in range(columns):
            patch = image[:, row : row + 6, column : column + 6].ravel().astype(np.float64)
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + 1e-2)
            white = (patch - patches._mean) @ patches._whitening
            distances = np.linalg.norm(white - patches._centres, axis=1)
            maps[row, column] = np.maximum(distances.mean() - distances, 0)
    upper, left = -(-rows // 2), -(-columns // 2)
    return np.concatenate(
        [
            part.sum(axis=(0, 1))
            for strip in (maps[:upper], maps[upper:])
            for part in (strip[:, :left], strip[:, left:])
        ]
    )


def test_they_are_summed_triangle_activations_of_whitened_patches() -> None:
    patches = fitted()
    found = patches.transform(IMAGES[:3]) * patches._scale + patches._offset
    expected = np.stack([by_hand(patches, image) for image in IMAGES[:3]])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_training_features_are_standardised_and_a_seed_decides_them() -> None:
    found = fitted().transform(IMAGES)
    assert found.shape == (60, 32)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    assert (found == fitted().transform(IMAGES)).all()
    assert (found != fitted(seed=1).transform(IMAGES)).any()


def test_batches_do_not_matter() -> None:
    many = np.repeat(IMAGES, 6, axis=0)
    patches = fitted()
    one_by_one = np.concatenate([patches.transform(image[None]) for image in many[::60]])
    np.testing.assert_allclose(patches.transform(many)[::60], one_by_one, atol=1e-4)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(28, 28, (6, 6, 2, 2)), (8, 8, (4, 4, 2, 2)), (1, 40, (1, 6, 1, 4)), (2, 53, (1, 6, 2, 2))],
)
def test_small_images_and_signals_have_smaller_patches(
    height: int, width: int, expected: tuple[int, int, int, int]
) -> None:
    found = window(height, width)
    assert (found.height, found.width, found.rows, found.columns) == expected


def test_black_images_have_finite_features() -> None:
    assert np.isfinite(fitted(np.zeros_like(IMAGES)).transform(IMAGES)).all()


def test_what_is_at_random_places_is_found_by_patches_and_not_by_pixels() -> None:
    def made(count: int, seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        labels, images = rng.integers(2, size=count), np.zeros((count, 1, 16, 16), np.float32)
        bars = np.zeros((2, 5, 5), np.float32)
        bars[0, 2], bars[1, :, 2] = 1, 1
        for image, label, (r, c) in zip(
            images, labels, rng.integers(11, size=(count, 2)), strict=True
        ):
            image[0, r : r + 5, c : c + 5] = bars[label]
        return images, labels

    (train, y), (test, truth) = made(400, 0), made(400, 1)
    patches = fitted(train, words=16)

    def accuracy(features: Any) -> float:
        flat = [features(images).reshape(len(images), -1) for images in (train, test)]
        return float(RidgeClassifier(100).fit(flat[0], y).score(flat[1], truth))

    assert accuracy(patches.transform) > 0.95
    assert accuracy(lambda images: images) < 0.75


def test_names_say_how_many_words_and_the_shape_follows() -> None:
    registry = load_registry()
    task = Task(channels=1, height=28, width=28, num_classes=10)
    assert registry.features["patches/25"].shape(task) == (100,)
    for name in ("patches/1", "patches/many", "patches/025"):
        with pytest.raises(UsageError, match="there is no feature"):
            registry.features.find(name)
    with pytest.raises(NotApplicable, match="no four parts"):
        registry.features["patches/25"].shape(Task(channels=1, height=1, width=3, num_classes=2))
