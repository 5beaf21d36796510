"""Label-free features in the form of a network: decoders read them as they read a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from memgen_bench.errors import PluginError
from memgen_bench.global_state import preserved

if TYPE_CHECKING:
    from memgen_bench.arrays import Images
    from memgen_bench.plugin.specs import Features, FeaturesSpec, Task


class FeaturesModule(nn.Module):
    """A module without weights whose output is the features of its input.

    Args:
        features: Fitted features.
        name: Their name, for errors.
        shape: The shape of the features of one image.
    """

    def __init__(self, features: Features, name: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._features, self._name, self._shape = features, name, shape

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features of B images, float32.

        Raises:
            PluginError: They do not have the shape that their specification states.
        """
        found = np.asarray(self._features.transform(images.cpu().numpy()), dtype=np.float32)
        wanted = (len(images), *self._shape)
        if found.shape != wanted:
            raise PluginError(
                f"features {self._name!r}: transform() returned shape {found.shape}, not {wanted}"
            )
        return torch.from_numpy(found).to(images.device)


@preserved()
def fit_features(spec: FeaturesSpec, task: Task, images: Images, seed: int) -> FeaturesModule:
    """Fit features on training images; no label is seen.

    Args:
        spec: The features.
        task: The task that the images belong to.
        images: N×C×H×W.
        seed: The seed of all random numbers.
    """
    features = spec.build()
    features.fit(images, seed)
    return FeaturesModule(features, spec.name, tuple(map(int, spec.shape(task))))
