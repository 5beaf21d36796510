from __future__ import annotations

import numpy as np
import pytest

from memgen_bench.seeds import stream
from memgen_plugins.image_noises import flip_rates, instance

LABELS = np.arange(4000, dtype=np.int64) % 10
IMAGES = np.random.default_rng(0).normal(size=(4000, 1, 6, 6)).astype(np.float32)


def draw(rate: float, seed: int = 0, images: np.ndarray = IMAGES) -> np.ndarray:
    return instance(LABELS, rate, 10, stream(seed, "noise"), images=images)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.4, 0.9, 1.0])
def test_the_rate_is_the_share_of_wrong_labels(rate: float) -> None:
    assert abs(np.mean(draw(rate) != LABELS) - rate) <= 5 * np.sqrt(rate * (1 - rate) / 4000)


def test_rates_of_images_differ_keep_their_mean_and_grow_with_it() -> None:
    own = (np.arange(1000) + 0.5) / 1000
    before = np.zeros(1000)
    for rate in np.linspace(0, 1, 21):
        rates = flip_rates(rate, own)
        assert rates.mean() == pytest.approx(rate, abs=1e-6)
        assert rates.min() >= 0
        assert rates.max() <= 1
        assert (rates >= before - 1e-12).all()
        before = rates
    assert flip_rates(0.5, own).std() == pytest.approx(0.1, abs=1e-3)


def test_what_is_wrong_at_a_smaller_rate_is_wrong_alike_at_a_larger_one() -> None:
    small, large = draw(0.2), draw(0.6)
    changed = small != LABELS
    assert (large[changed] == small[changed]).all()


def test_wrong_labels_follow_the_images() -> None:
    alike = np.repeat(IMAGES[:1], 4000, axis=0)
    given = draw(1.0, images=alike)
    counts = np.bincount(given, minlength=10) / 4000
    assert counts.max() > 0.5  # one class is what this image looks like
    other = draw(1.0, images=np.repeat(IMAGES[1:2], 4000, axis=0))
    assert np.abs(counts - np.bincount(other, minlength=10) / 4000).sum() > 0.5


def test_all_draws_look_at_images_the_same_way() -> None:
    first, second = draw(1.0, seed=1), draw(1.0, seed=2)
    assert (first == second).mean() > 0.5
    assert (first != second).any()


def test_no_image_gives_no_label() -> None:
    none = instance(LABELS[:0], 0.5, 10, stream(0, "noise"), images=IMAGES[:0])
    assert none.shape == (0,)
