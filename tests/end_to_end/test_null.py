"""Where corrupted labels say nothing about true ones, no decoder may find anything.

One label draw scatters far more than a binomial (a decoder is right or wrong about whole groups of
images), so the mean over draws is held against the scatter between draws.
"""

from __future__ import annotations

import warnings
from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
import torch

import memgen_bench
from memgen_bench import Recipe, load_registry
from memgen_bench.compute import threads
from memgen_bench.data.corruption import corrupt
from memgen_bench.data.datasets import load_data
from memgen_bench.decode.activations import extract
from memgen_bench.files.places import default_data_dir
from memgen_bench.network.layers import find_layers
from memgen_bench.network.training import TrainingData, initial_module, train
from memgen_bench.plugin.specs import Data, Task

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = load_registry()
DRAWS = 24
IMAGES = 500  # how many draws there are decides what is noticed, not how many images
TRAINED_ON = 250  # images of memorized networks: draws scatter no more, by 3 points
TASK = Task(channels=1, height=8, width=8, num_classes=10)
CPU = torch.device("cpu")
RECIPE = Recipe(max_epochs=500, batch_size=250, lr=1e-2)  # memorizes in a few large steps
NULLS = [("uniform", 1.0), ("permute", 1.0), ("flip", 0.9)]
ON_A_LAYER = {name: spec for name, spec in REGISTRY.decoders.items() if spec.scope == "layer"}
# The contract asks the first null of all on planted points; the quick tier asks it of fast ones.
EVERYDAY = [name for name, spec in ON_A_LAYER.items() if hasattr(spec.build(), "fit_moments")]
# Memorized networks are asked all nulls, but by no slow decoder; of these each is asked another.
SLOW = [name for name, spec in ON_A_LAYER.items() if spec.slow]
UNTRAINED = [
    *((name, *NULLS[0]) for name in EVERYDAY),
    *(pytest.param(n, *null, marks=pytest.mark.slow) for n, null in zip(SLOW, cycle(NULLS[1:]))),
]


@cache
def digits() -> Data:
    return load_data(REGISTRY.datasets["digits"], default_data_dir())


def given(noise: str, rate: float, draw: int) -> np.ndarray:
    return corrupt(
        REGISTRY.noises[noise], digits().train_y, rate=rate, num_classes=10, noise_seed=draw
    ).labels


def decode(name: str, X: np.ndarray, y: np.ndarray, test: np.ndarray) -> float:
    with warnings.catch_warnings(), threads(1):
        warnings.simplefilter("ignore")
        predicted = REGISTRY.decoders[name].build().fit(X, y).predict(test)
    return float(np.mean(predicted == digits().test_y))


def excess(accuracies: list[float]) -> float:
    """Return the mean's distance from chance in standard errors taken between draws."""
    error = np.std(accuracies, ddof=1) / np.sqrt(len(accuracies))
    return float((np.mean(accuracies) - 0.1) / error)


@pytest.mark.parametrize(("name", "noise", "rate"), UNTRAINED)
def test_decoders_of_an_untrained_network_are_at_chance(name: str, noise: str, rate: float) -> None:
    spec = REGISTRY.models["mlp"]
    layers = find_layers(spec, TASK, 0)[:1]
    module = initial_module(spec, TASK, 0)
    train_x, test_x = (
        extract(module, images, layers, device=CPU)["fc1"]
        for images in (digits().train_x[:IMAGES], digits().test_x)
    )
    found = [
        decode(name, train_x, given(noise, rate, draw)[:IMAGES], test_x) for draw in range(DRAWS)
    ]
    assert abs(excess(found)) < 3


def test_the_null_is_no_null_below_its_rate() -> None:
    X = digits().train_x.reshape(len(digits().train_y), -1)
    test = digits().test_x.reshape(len(digits().test_y), -1)
    for noise, rate in NULLS:
        found = [decode("ncm", X, given(noise, rate - 0.1, draw), test) for draw in range(4)]
        assert np.mean(found) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "rate"), NULLS)
def test_decoders_of_memorized_networks_are_at_chance(noise: str, rate: float) -> None:
    spec, data = REGISTRY.models["mlp"], digits()
    layers = find_layers(spec, TASK, 0)
    found: dict[str, list[float]] = {n: [] for n, spec in ON_A_LAYER.items() if not spec.slow}
    images, nothing = data.train_x[:TRAINED_ON], (data.train_x[:0], data.train_y[:0])
    for draw in range(DRAWS):
        y = given(noise, rate, draw)[:TRAINED_ON]
        module = initial_module(spec, TASK, draw)
        with threads(1):
            record = train(
                module,
                TrainingData(
                    x=images,
                    given=y,
                    true=data.train_y[:TRAINED_ON],
                    validation_x=nothing[0],
                    validation_given=nothing[1],
                    test_x=data.test_x,
                    test_y=data.test_y,
                ),
                RECIPE,
                order_seed=draw,
                device=CPU,
                on_epoch=lambda record: None,
            )
        assert record.accuracy_given > 0.95
        train_x, test_x = (
            extract(module, points, layers[1:2], device=CPU)["fc2"]
            for points in (images, data.test_x)
        )
        for name in found:
            found[name].append(decode(name, train_x, y, test_x))
    assert {name: e for name, values in found.items() if abs(e := excess(values)) >= 3} == {}


@pytest.mark.slow
def test_sources_that_know_no_label_are_at_chance_wherever_decoders_are_fitted(
    tmp_path: Path,
) -> None:
    summary = memgen_bench.run(
        "smoke",
        kinds=["features", "untrained"],
        features=["pixels", "patches/25"],
        decoders=["ncm", "lda-shrunk", "knn-50"],
        labels=["corrupted"],
        rates=[1.0],
        noise_seeds=range(DRAWS),
        held_out_fraction=0.25,
        fitted_on=["training", "held_out", "both"],
        engine="serial",
        results=tmp_path / "results",
        cache_dir=tmp_path,
    )
    assert summary.ok == summary.planned
    rows = pl.from_arrow(memgen_bench.read_results(tmp_path / "results"))
    assert isinstance(rows, pl.DataFrame)
    decoded = rows.filter(pl.col("decoder") != "readout")
    source = ["kind", "model", "fitted_on"]
    of_draws = decoded.group_by(*source, "noise_seed").agg(pl.col("test_accuracy").mean())
    found = {
        group: excess(own["test_accuracy"].to_list()) for group, own in of_draws.group_by(source)
    }
    assert len(found) == 9
    assert {group: e for group, e in found.items() if abs(e) >= 3} == {}
