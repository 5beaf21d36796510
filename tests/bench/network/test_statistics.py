"""Running statistics of untrained networks: estimated from images, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from memgen_bench.network.statistics import estimate_statistics

CPU = torch.device("cpu")
IMAGES = np.random.default_rng(0).normal(3, 2, (1200, 2, 4, 4)).astype(np.float32)


def estimated(module: nn.Module, images: np.ndarray = IMAGES, seed: int = 0) -> nn.Module:
    estimate_statistics(module, images, seed=seed, device=CPU)
    return module


@pytest.mark.parametrize("momentum", [0.1, 0.9, None])
def test_they_are_the_mean_and_variance_of_the_images(momentum: float | None) -> None:
    norm = nn.BatchNorm2d(2, momentum=momentum)
    estimated(nn.Sequential(norm, nn.Dropout(0.5)))
    means, variances = IMAGES.mean(axis=(0, 2, 3)), IMAGES.var(axis=(0, 2, 3))
    assert norm.running_mean is not None
    assert norm.running_var is not None
    np.testing.assert_allclose(norm.running_mean, means, rtol=1e-4)
    np.testing.assert_allclose(norm.running_var, variances, rtol=2e-3)  # means of batches
    assert norm.momentum == momentum
    assert not norm.training


def test_images_in_the_order_of_their_classes_give_the_same() -> None:
    """Batches of one class each would hide the variance between classes."""
    shifted = IMAGES.copy()
    shifted[:600] += 10
    norm = nn.BatchNorm2d(2)
    estimated(nn.Sequential(norm), shifted)
    assert norm.running_var is not None
    np.testing.assert_allclose(norm.running_var, shifted.var(axis=(0, 2, 3)), rtol=0.02)


def test_weights_stay_as_they_are_and_a_seed_gives_one_result() -> None:
    def build() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.9), nn.BatchNorm2d(3)
        )

    before, first, again = build(), estimated(build()), estimated(build())
    for name, value in first.named_parameters():
        assert (value == dict(before.named_parameters())[name]).all()
    for name, value in first.state_dict().items():
        assert (value == again.state_dict()[name]).all()
    moved = [n for n, v in first.state_dict().items() if (v != before.state_dict()[n]).any()]
    assert {name.split(".")[1] for name in moved} == {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }


def test_a_network_without_running_statistics_is_not_run() -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise AssertionError

    estimated(nn.Sequential(Fails(), nn.BatchNorm2d(2, track_running_stats=False)))
