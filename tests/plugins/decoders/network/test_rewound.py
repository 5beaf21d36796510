"""The last modules of a network trained anew, against the same training written out."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from helpers.noisy_digits import HELD, HELD_Y, TEST, TEST_TRUE, X, Y
from memgen_bench import NotApplicable
from memgen_plugins.decoders.layer.linear import LogisticRegression
from memgen_plugins.decoders.network.rewound import Rewound, linear_tail

pytestmark = pytest.mark.usefixtures("one_thread")

Layers = dict[str, torch.Tensor]


def build() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            first=nn.Sequential(nn.Linear(64, 96), nn.Tanh()),
            second=nn.Sequential(nn.Linear(96, 48), nn.ReLU()),
            third=nn.Sequential(nn.Linear(48, 32), nn.ReLU()),
            out=nn.Linear(32, 10),
        )
    )


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    """Return a network that memorized half of its labels wrong."""
    module = build()
    points, labels = torch.from_numpy(X / 16).float(), torch.from_numpy(Y)
    optimizer = torch.optim.Adam(module.parameters(), lr=5e-3)
    for _ in range(400):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(points), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return module.eval()


def layers(network: nn.Sequential, points: np.ndarray) -> Layers:
    found, now = {}, torch.from_numpy(points / 16).float()
    with torch.no_grad():
        for name, module in network.named_children():
            found[name] = now = module(now)
    return found


def test_the_tail_goes_back_as_far_as_modules_are_linear_with_rectifiers(
    network: nn.Sequential,
) -> None:
    found = linear_tail(network, layers(network, X))
    assert [name for name, _ in found] == ["first", "second", "third"]
    assert [module.out_features for _, module in found] == [48, 32, 10]
    without = {name: of for name, of in layers(network, X).items() if name != "second"}
    assert [name for name, _ in linear_tail(network, without)] == ["third"]
    with pytest.raises(NotApplicable, match="does not make third of second"):
        linear_tail(network, {n: of for n, of in layers(network, X).items() if n != "out"})


def test_depth_and_epoch_are_those_that_are_best_on_noisy_validation(
    network: nn.Sequential,
) -> None:
    held, tests = layers(network, HELD), layers(network, TEST)
    ours = Rewound(epochs=8).fit(
        layers(network, X), torch.from_numpy(Y), network, validation=(held, HELD_Y)
    )
    best, chosen, expected = -1.0, {}, None
    sizes = {"third": (32, 10), "second": (48, 32, 10), "first": (96, 48, 32, 10)}
    for depth, (name, widths) in enumerate(sizes.items(), start=1):
        generator = torch.Generator().manual_seed(0)
        matrices, labels = [], torch.from_numpy(Y)
        for inputs, outputs in pairwise(widths):
            for shape in ((outputs, inputs), (outputs,)):
                drawn = torch.rand(shape, generator=generator) * 2 - 1
                matrices.append((drawn / inputs**0.5).requires_grad_())
        optimizer = torch.optim.Adam(matrices, lr=1e-3)

        def logits(points: torch.Tensor, matrices: list[torch.Tensor] = matrices) -> torch.Tensor:
            for place in range(0, len(matrices), 2):
                points = points.relu() if place else points
                points = points @ matrices[place].T + matrices[place + 1]
            return points

        for epoch in range(1, 9):
            for rows in torch.randperm(len(Y), generator=generator).split(128):  # type: ignore[no-untyped-call]
                optimizer.zero_grad()
                own = logits(layers(network, X)[name][rows]).log_softmax(dim=1)
                loss = -own[torch.arange(len(rows)), labels[rows]].mean()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            accuracy = float(np.mean(logits(held[name]).argmax(dim=1).numpy() == HELD_Y))
            if accuracy > best:
                best, chosen = accuracy, {"modules": depth, "epoch": epoch}
                expected = logits(tests[name]).argmax(dim=1).numpy()
    assert ours.chosen_ == chosen
    assert np.mean(ours.predict(tests) == expected) > 0.99


def test_more_is_read_than_the_network_says(network: nn.Sequential) -> None:
    held, tests = layers(network, HELD), layers(network, TEST)
    ours = Rewound().fit(
        layers(network, X), torch.from_numpy(Y), network, validation=(held, HELD_Y)
    )
    readout = np.mean(tests["out"].argmax(dim=1).numpy() == TEST_TRUE)
    assert np.mean(ours.predict(tests) == TEST_TRUE) > readout + 0.05


def test_the_last_module_trained_for_long_is_logistic_regression(network: nn.Sequential) -> None:
    tests = layers(network, TEST)
    ours = Rewound(epochs=300, lr=1e-2, batch_size=1000).fit(
        layers(network, X), torch.from_numpy(Y), network
    )
    assert ours.chosen_ == {"modules": 1, "epoch": 300}
    reference = LogisticRegression(C=10.0).fit(layers(network, X)["third"].numpy(), Y)
    assert np.mean(ours.predict(tests) == reference.predict(tests["third"].numpy())) > 0.9


def test_classes_without_points_are_not_predicted(network: nn.Sequential) -> None:
    labels = torch.from_numpy(np.where(Y == 4, 5, Y))
    ours = Rewound(epochs=1).fit(layers(network, X), labels, network)
    assert 4 not in ours.predict(layers(network, TEST))
