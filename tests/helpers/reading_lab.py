"""A small network with two draws of labels, and decoders of every sort that read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from memgen_bench import load_registry
from memgen_bench.data.planned_data import PlannedData
from memgen_bench.decode.reader import Reader
from memgen_bench.files.places import find_places
from memgen_bench.network.training import initial_module
from memgen_bench.plan.suite import Suite
from memgen_bench.running.runner import plan_run
from memgen_bench.workers.questions import Questions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from memgen_bench.decode.decoding import Outcome

PLENTY = 1 << 30
CPU = torch.device("cpu")
FROM_MOMENTS = ("masc", "qda-shrunk", "ridge", "own-moments")
OTHERS = ("knn-5", "linear-svm", "on-arrays", "whole")
PLUGIN = """
import numpy as np
import torch
from torch import nn
from memgen_bench import DecoderSpec, ModelSpec, hookimpl


class Small(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.fc1 = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU())
        self.fc2 = nn.Sequential(nn.Linear(24, 12), nn.ReLU())
        self.out = nn.Linear(12, task.num_classes)

    def forward(self, x):
        return self.out(self.fc2(self.fc1(x)))


class Sometimes(nn.Module):
    def forward(self, x):
        return torch.where(x.argmax(dim=1, keepdim=True) % 2 == 0, x, torch.nan)


class Blind(Small):
    # One of its layers, which leads nowhere, is not a number for some images.
    def __init__(self, task):
        super().__init__(task)
        self.nowhere = Sometimes()

    def forward(self, x):
        hidden = self.fc1(x)
        self.nowhere(hidden)
        return self.out(self.fc2(hidden))


class Base:
    def fit(self, X, y):
        self.means = np.stack([np.asarray(X)[np.asarray(y) == k].mean(axis=0) for k in range(10)])
        return self

    def predict(self, X):
        return ((np.asarray(X)[:, None] - self.means) ** 2).sum(axis=2).argmin(axis=1)


class OwnMoments(Base):
    def fit_moments(self, moments):
        assert moments.classes.tolist() == list(range(10))
        self.means = np.asarray(moments.means)
        return self


class Whole(Base):
    def fit(self, X, y):
        return super().fit(np.concatenate(list(X.values()), axis=1), y)

    def predict(self, X):
        return super().predict(np.concatenate(list(X.values()), axis=1))


class Writes(Base):
    def fit(self, X, y):
        super().fit(X, y)
        X -= X.mean(0)
        return self


class WritesLate(Base):
    def predict(self, X):
        labels = super().predict(X)
        X[:5] = float("nan")
        raise RuntimeError("what it wrote matters more")


class WritesAll(Whole):
    def fit(self, X, y):
        super().fit(X, y)
        X["fc2"].zero_()
        return self


@hookimpl
def register_models():
    layers = ("fc1", "fc2")
    return [
        ModelSpec(name="small", summary="s", build=Small, layers=layers),
        ModelSpec(name="blind", summary="s", build=Blind, layers=(*layers, "nowhere")),
    ]


@hookimpl
def register_decoders():
    def spec(name, build, **fields):
        return DecoderSpec(name=name, summary="s", build=build, **fields)

    return [
        spec("own-moments", OwnMoments),
        spec("on-arrays", Base),
        spec("whole", Whole, scope="network"),
        spec("writes", Writes, arrays="torch"),
        spec("writes-late", WritesLate, arrays="torch"),
        spec("writes-arrays", Writes),
        spec("writes-all", WritesAll, arrays="torch", scope="network"),
    ]
"""
SUITE = Suite(
    name="tiny",
    version=1,
    models=("small",),
    datasets=("digits",),
    rates=(0.4, 0.8),  # three labellings: two draws, and the true labels
    kinds=("untrained",),
    decoders=(*FROM_MOMENTS, *OTHERS),
    train_size=160,
    test_size=60,
    validation_fraction=0.25,
    max_layer_dim=32,
)


@dataclass(frozen=True)
class Lab:
    """Reads untrained networks, of two draws of labels; `more` holds further plugin files."""

    plugin: Path
    more: tuple[Path, ...] = ()

    def read(
        self, decoders: Sequence[str], *, model: str = "small", memory: int = PLENTY
    ) -> dict[str, Outcome]:
        """Return each reading's outcome by its place, decoder, labels, and draw."""
        folder = self.plugin.parent
        suite = SUITE.replace({"decoders": decoders, "models": (model,)})
        files = (self.plugin, *self.more)
        names = tuple(map(str, files))
        registry = load_registry(files)
        questions = Questions(plugin_files=names)
        plan = plan_run(suite, registry, find_places(folder, folder), questions=questions)
        (network,) = plan.networks
        data = PlannedData(network, names, folder)
        assert network.init_seed is not None
        module = initial_module(registry.models[model], network.data.task, network.init_seed)
        found = Reader(network, data, module, CPU, memory).outcomes(network.readings)
        outcomes = {}
        for reading, outcome in found:
            what = reading.decoding
            draw = f"{what.labels} {what.draw.rate if what.draw else 0}"
            outcomes[f"{reading.layer} {what.decoder} {draw}"] = outcome
        assert len(outcomes) == len(network.readings)
        return outcomes


def plain(outcome: Outcome) -> tuple[Any, ...]:
    """Return all of an outcome but times."""
    found = outcome.predictions
    parts = (found.train, found.validation, found.test) if found else ()
    told = outcome.status, outcome.error_type, outcome.message
    return (*told, *(part.tolist() for part in parts))


def same(first: dict[str, Outcome], second: dict[str, Outcome]) -> None:
    assert first.keys() == second.keys()
    for name, outcome in first.items():
        assert plain(outcome) == plain(second[name]), name


def of(outcomes: dict[str, Outcome], *decoders: str | None) -> dict[str, Outcome]:
    return {name: each for name, each in outcomes.items() if name.split()[1] in map(str, decoders)}


@dataclass
class Counted:
    """What was done to read."""

    passes: int = 0
    files: int = 0
