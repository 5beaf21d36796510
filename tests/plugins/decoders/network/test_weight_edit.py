"""A network with other vectors in its last layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from helpers.noisy_digits import TEST, X, Y
from memgen_bench import NotApplicable
from memgen_plugins.decoders.layer.centroid import CosineCentroid
from memgen_plugins.decoders.layer.gaussian import ShrunkLDA
from memgen_plugins.decoders.layer.subspace import VeLPIC
from memgen_plugins.decoders.network.weight_edit import WeightEdit

pytestmark = pytest.mark.usefixtures("one_thread")


def test_an_edited_network_reads_out_what_its_new_vectors_say() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    points, test = (torch.from_numpy(of).float() for of in (X, TEST))

    def layers(of: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            hidden = network[:2](of)
            return {"1": hidden, "logits": network[2](hidden)}

    labels = torch.from_numpy(np.where(Y == 4, 5, Y))  # nothing of class 4
    for build in (VeLPIC, CosineCentroid, ShrunkLDA):
        fitted = WeightEdit(build()).fit(layers(points), labels, network=network)
        alone = build().fit(layers(points)["1"], labels).predict(layers(test)["1"])
        assert np.mean(fitted.predict(layers(test)) == alone) > 0.995
        assert 4 not in fitted.predict(layers(test))
    other = layers(points) | {"logits": torch.ones(len(X), 10)}
    with pytest.raises(NotApplicable, match="does not make logits of 1"):
        WeightEdit(VeLPIC()).fit(other, labels, network=network)
