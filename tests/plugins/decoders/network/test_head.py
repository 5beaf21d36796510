"""The last module of a network, found and replaced."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from memgen_bench import NotApplicable
from memgen_plugins.decoders.network.head import find_head, new_head, read_out


def test_a_head_is_the_module_that_makes_the_logits() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
    points = torch.randn(20, 6)
    with torch.no_grad():
        layers = {"1": network[:2](points), "out": network(points)}
    module, name = find_head(network, layers)
    assert module is network[2]
    assert name == "1"
    for wrong in (layers["out"] + 0.1, torch.ones(20, 4)):
        with pytest.raises(NotApplicable, match="does not make out of 1"):
            find_head(network, layers | {"out": wrong})


def test_a_new_head_predicts_its_own_classes_only() -> None:
    module, rng = nn.Linear(2, 4), np.random.default_rng(0)
    coef, intercept = rng.standard_normal((2, 2)), np.array([0.5, -0.5])
    head = new_head(module, np.array([1, 3]), coef, intercept)
    points = rng.standard_normal((50, 2)).astype(np.float32)
    expected = np.array([1, 3])[(points @ coef.T + intercept).argmax(axis=1)]
    assert (read_out(head, torch.from_numpy(points)) == expected).all()
