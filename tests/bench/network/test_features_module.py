"""Label-free features in the form of a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memgen_bench import FeaturesSpec, PluginError, Task
from memgen_bench.network.features_module import fit_features

TASK = Task(channels=1, height=2, width=3, num_classes=4)
IMAGES = np.arange(30, dtype=np.float32).reshape(5, 1, 2, 3)


class Centred:
    def fit(self, images: np.ndarray, seed: int) -> Centred:
        self.mean, self.seed = images.mean(axis=0), seed
        return self

    def transform(self, images: np.ndarray) -> np.ndarray:
        return np.asarray((images - self.mean).reshape(len(images), -1), np.float64)


def spec(shape: tuple[int, ...]) -> FeaturesSpec:
    return FeaturesSpec(name="centred", summary="", build=Centred, shape=lambda task: shape)


def test_its_output_is_the_features_of_its_input() -> None:
    module = fit_features(spec((6,)), TASK, IMAGES, seed=7)
    found = module(torch.from_numpy(IMAGES[:2]))
    assert found.dtype == torch.float32
    assert np.allclose(found, (IMAGES[:2] - IMAGES.mean(axis=0)).reshape(2, 6))
    assert not list(module.parameters())


def test_features_of_another_shape_than_stated_are_refused() -> None:
    module = fit_features(spec((5,)), TASK, IMAGES, seed=0)
    with pytest.raises(PluginError, match=r"'centred': .* returned shape \(2, 6\), not \(2, 5\)"):
        module(torch.from_numpy(IMAGES[:2]))
