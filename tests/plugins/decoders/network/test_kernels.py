"""Sums of kernels against alignments that are tried one by one, and scikit-learn's regression."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.preprocessing import StandardScaler

from helpers.noisy_digits import HELD, HELD_Y, TEST, TEST_TRUE, X, Y
from memgen_bench import NotApplicable
from memgen_plugins.decoders.network.kernels import KernelSum

pytestmark = pytest.mark.usefixtures("one_thread")


def layers(points: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """A part of the pixels, all of them, and noise."""
    noise = np.random.default_rng(seed).standard_normal((len(points), 30))
    return {"part": points[:, :24], "all": points, "noise": noise}


LAYERS, HELD_LAYERS, TEST_LAYERS = layers(X), layers(HELD, 1), layers(TEST, 2)


def kernel_of_textbook(name: str, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    scaler = StandardScaler().fit(LAYERS[name])
    train, left, right = (scaler.transform(each) for each in (LAYERS[name], left, right))
    unit = euclidean_distances(train, squared=True).mean()
    kernel: np.ndarray = np.exp(-euclidean_distances(left, right, squared=True) / unit)
    return kernel


def test_weights_are_those_that_agree_best_with_noisy_validation_labels() -> None:
    ours = KernelSum().fit(LAYERS, Y, validation=(HELD_LAYERS, HELD_Y))
    between = ~np.eye(len(HELD_Y), dtype=bool)
    centring = np.eye(len(HELD_Y)) - 1 / len(HELD_Y)
    kernels = [
        (centring @ kernel_of_textbook(name, points, points) @ centring)[between]
        for name, points in HELD_LAYERS.items()
    ]
    equal = (centring @ (HELD_Y[:, None] == HELD_Y) @ centring)[between]

    def agreement(weights: tuple[float, ...]) -> float:
        pooled = sum(w * kernel for w, kernel in zip(weights, kernels, strict=True))
        return float(pooled @ equal / np.linalg.norm(pooled))

    grid = [each for each in product(np.linspace(0, 1, 11), repeat=3) if any(each)]
    found = agreement(tuple(ours.weights_.values()))
    assert found >= max(map(agreement, grid)) - 1e-4 * found
    assert found > 1.01 * agreement((1.0, 1.0, 1.0))
    assert sum(ours.weights_.values()) == pytest.approx(1)
    assert ours.weights_["all"] > 5 * ours.weights_["noise"]


@pytest.mark.parametrize("alpha", [0.1, 10.0])
def test_the_regression_is_scikit_learns(alpha: float) -> None:
    ours = KernelSum([alpha]).fit(LAYERS, Y)
    assert list(ours.weights_.values()) == [1 / 3] * 3
    among, new = (
        sum(kernel_of_textbook(name, each[name], LAYERS[name]) for name in LAYERS) / 3
        for each in (LAYERS, TEST_LAYERS)
    )
    targets = 2.0 * (Y[:, None] == np.arange(10)) - 1
    offset = targets.mean(axis=0)
    reference = KernelRidge(alpha=alpha, kernel="precomputed").fit(among, targets - offset)
    expected = (reference.predict(new) + offset).argmax(axis=1)
    assert np.mean(ours.predict(TEST_LAYERS) == expected) > 0.998


def test_the_penalty_is_the_one_that_is_best_on_noisy_validation() -> None:
    validation = (HELD_LAYERS, HELD_Y)
    ours = KernelSum().fit(LAYERS, Y, validation=validation)
    accuracies = {
        alpha: np.mean(
            KernelSum([alpha]).fit(LAYERS, Y, validation=validation).predict(HELD_LAYERS) == HELD_Y
        )
        for alpha in (1.0, 0.1, 10.0, 100.0)
    }
    assert ours.chosen_["alpha"] == max(accuracies, key=lambda alpha: accuracies[alpha])
    assert ours.chosen_["all"] == round(ours.weights_["all"], 4)
    assert np.mean(ours.predict(TEST_LAYERS) == TEST_TRUE) > 0.8


def test_layers_that_agree_with_nothing_weigh_the_same() -> None:
    constant = {name: np.ones((len(points), 3)) for name, points in LAYERS.items()}
    held = {name: np.ones((len(HELD), 3)) for name in LAYERS}
    ours = KernelSum().fit(constant, Y, validation=(held, HELD_Y))
    assert list(ours.weights_.values()) == [1 / 3] * 3


def test_too_many_points_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memgen_plugins.decoders.network.kernels._MOST", 600)
    with pytest.raises(NotApplicable, match="the kernel of 700 points"):
        KernelSum().fit(LAYERS, Y)
