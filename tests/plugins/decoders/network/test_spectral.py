"""Networks that add, read by what the spectra of their weights tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from memgen_bench import NotApplicable
from memgen_plugins.decoders.network.spectral import (
    SpectrumPruned,
    SpectrumTold,
    participation_ratios,
    spectra,
)

pytestmark = pytest.mark.usefixtures("one_thread")

P = 11
WAVES, NOISE = 80, 160


class _Square(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.square()


@dataclass
class _World:
    """A network that adds with some of its units, and memorized wrong labels with the others."""

    network: nn.Sequential
    x: torch.Tensor
    true: np.ndarray
    given: np.ndarray
    train: np.ndarray
    held: np.ndarray
    test: np.ndarray

    def layers(self, part: np.ndarray) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            hidden = self.network[:2](self.x[part])
            return {"1": hidden, "out": self.network[2](hidden)}

    def validation(self) -> tuple[dict[str, torch.Tensor], np.ndarray]:
        return self.layers(self.held), self.given[self.held]

    def accuracy(self, fitted: SpectrumPruned | SpectrumTold) -> float:
        return float(np.mean(fitted.predict(self.layers(self.test)) == self.true[self.test]))


@pytest.fixture(scope="module")
def world() -> _World:
    rng, numbers = np.random.default_rng(0), np.arange(P)
    a, b = np.divmod(np.arange(P * P), P)
    x = torch.from_numpy(np.eye(P)[np.stack([a, b], axis=1)]).float().flatten(1)
    true = (a + b) % P
    given = np.where(rng.random(P * P) < 0.4, rng.integers(P, size=P * P), true)
    train, held, test = np.split(rng.permutation(P * P), [70, 95])
    frequencies, phases = rng.integers(1, P, WAVES), rng.random((2, WAVES))
    waves = np.cos(2 * np.pi * (np.outer(numbers, frequencies) / P + phases[:, None]))
    weights = np.hstack([waves.reshape(2 * P, WAVES), rng.standard_normal((2 * P, NOISE))])
    first, last = nn.Linear(2 * P, WAVES + NOISE, bias=False), nn.Linear(WAVES + NOISE, P)
    hidden = (x.double().numpy() @ weights) ** 2
    rule = np.linalg.pinv(hidden[:, :WAVES], rcond=1e-4) @ (2 * np.eye(P)[true])
    wrong = 4 * np.eye(P)[given[train]] - hidden[train, :WAVES] @ rule
    memory = np.linalg.pinv(hidden[train, WAVES:]) @ wrong
    with torch.no_grad():
        first.weight.copy_(torch.from_numpy(weights.T))
        last.weight.copy_(torch.from_numpy(np.vstack([rule, memory]).T))
        last.bias.zero_()
    return _World(nn.Sequential(first, _Square(), last), x, true, given, train, held, test)


def test_a_wave_has_a_ratio_of_one_half_and_noise_a_small_one() -> None:
    rng, numbers = np.random.default_rng(0), np.arange(P)
    wave = np.cos(2 * np.pi * (3 * numbers / P + 0.2))
    weights = np.array([[wave, 5 * wave], [wave, rng.standard_normal(P)], np.zeros((2, P))])
    first = nn.Linear(2 * P, 3, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.from_numpy(weights.reshape(3, -1)))
    network = nn.Sequential(first, _Square(), nn.Linear(3, P))
    turns = np.exp(-2j * np.pi * np.outer(numbers, numbers) / P)  # the transform, written out
    powers = np.abs(weights @ turns.T) ** 2
    expected = [
        np.mean([(power**2).sum() / max(power.sum() ** 2, 1e-30) for power in unit])
        for unit in powers
    ]
    ratios = participation_ratios(spectra(network))
    assert ratios == pytest.approx(expected, abs=1e-6)
    assert ratios[0] == pytest.approx(0.5, abs=1e-6)
    assert ratios[2] == 0


def test_a_network_without_its_memorizing_units_adds(world: _World) -> None:
    train = world.layers(world.train)
    labels = torch.from_numpy(world.given[world.train])
    assert (train["out"].argmax(dim=1) == labels).all()
    whole = SpectrumPruned().fit(train, labels, network=world.network)
    assert whole.chosen_ == {"share": 1.0}
    fitted = SpectrumPruned().fit(
        train, labels, network=world.network, validation=world.validation()
    )
    assert fitted.chosen_["share"] < 1
    assert world.accuracy(fitted) > world.accuracy(whole) + 0.3
    # The textbook's way: set the pruned units to zero and run the network.
    kept = np.argsort(-fitted.ratios_)[: round(fitted.chosen_["share"] * (WAVES + NOISE))]
    assert (kept < WAVES).mean() > 0.9
    with torch.no_grad():
        hidden = world.layers(world.test)["1"]
        alive = torch.zeros_like(hidden)
        alive[:, kept] = hidden[:, kept]
        logits = world.network[2](alive)
    assert (fitted.predict(world.layers(world.test)) == logits.argmax(dim=1).numpy()).all()


def test_sums_are_read_frequency_by_frequency(world: _World) -> None:
    train, y = world.layers(world.train), world.given[world.train]
    held, held_y = world.validation()
    told = SpectrumTold(alphas=(10.0,), counts=(3,))
    told.fit(train, torch.from_numpy(y), network=world.network, validation=(held, held_y))
    assert told.chosen_ == {"alpha": 10.0, "frequencies": 3}
    units, others, tests = (
        layers["1"].double().numpy() for layers in (train, held, world.layers(world.test))
    )
    mean, scale = units.mean(axis=0), units.std(axis=0)
    agreements, scores = [], []
    for k in range(1, P // 2 + 1):
        own = told.frequencies_ == k
        z, z_held, z_test = (((part - mean) / scale)[:, own] for part in (units, others, tests))
        aim = np.exp(2j * np.pi * k * y / P)
        # Ridge regression as least squares with rows added for the penalty.
        rows = np.vstack([z, np.sqrt(10.0) * np.eye(own.sum())])
        wave = np.linalg.lstsq(rows, np.append(aim - aim.mean(), np.zeros(own.sum())), rcond=None)[
            0
        ]
        read = z_held @ wave
        agree = np.real(read * np.exp(-2j * np.pi * k * held_y / P)).mean()
        agreements.append(agree / np.sqrt((np.abs(read) ** 2).mean()))
        turned = np.exp(-2j * np.pi * k * np.arange(P) / P)
        scores.append(np.real(np.outer(z_test @ wave, turned)))
    best = np.argsort(-np.array(agreements))[:3]
    expected = sum(scores[k] for k in best)
    assert isinstance(expected, np.ndarray)
    assert (told.predict(world.layers(world.test)) == expected.argmax(axis=1)).all()
    chosen = SpectrumTold().fit(
        train, torch.from_numpy(y), network=world.network, validation=(held, held_y)
    )
    assert world.accuracy(chosen) > 0.9


@pytest.mark.parametrize(
    ("inputs", "network", "reason"),
    [
        (
            8,
            nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 5)),
            "8 inputs, not two one-hot",
        ),
        (10, nn.Sequential(nn.Linear(10, 5)), "1 linear modules, not two"),
        (
            10,
            nn.Sequential(nn.Linear(10, 12), nn.GLU(), nn.Linear(6, 5)),
            "more than one layer between",
        ),
    ],
)
def test_other_networks_are_refused_with_a_reason(
    inputs: int, network: nn.Sequential, reason: str
) -> None:
    x = torch.randn(30, inputs)
    with torch.no_grad():
        layers = {"hidden": network[:-1](x), "out": network(x)}
    labels = torch.arange(30) % 5
    for decoder in (SpectrumPruned(), SpectrumTold()):
        with pytest.raises(NotApplicable, match=reason):
            decoder.fit(layers, labels, network=network, validation=(layers, labels.numpy()))
