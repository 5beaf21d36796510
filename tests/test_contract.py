"""What every registered specification must do; a new one is tested because it is registered."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from memgen_bench import DataNotFoundError, Task, build_decoder, load_registry
from memgen_bench.datasets import load_data
from memgen_bench.layers import find_layers
from memgen_bench.runner import default_data_dir
from memgen_bench.training import initial_module

REGISTRY = load_registry()
K = 5


def activations(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Non-negative activations of five classes that any decoder should tell apart."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((K, 12)) * 3
    y = np.arange(count, dtype=np.int64) % K
    X = np.maximum(centres[y] + rng.standard_normal((count, 12)), 0)
    return X.astype(np.float32), y


ON_A_LAYER = [name for name, spec in REGISTRY.decoders.items() if spec.scope == "layer"]


@pytest.mark.parametrize("name", ON_A_LAYER)
def test_decoders_follow_scikit_learn(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks feed nonsense on purpose
        check_estimator(build_decoder(name), on_skip=None)


@pytest.mark.parametrize("name", ON_A_LAYER)
def test_decoders_beat_chance_on_what_is_there_and_repeat_themselves(name: str) -> None:
    X, y = activations(300)
    test, truth = activations(200, seed=1)
    spec = REGISTRY.decoders[name]
    first, second = spec.build(), spec.build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = first.fit(X, y).predict(test)
        assert (second.fit(X, y).predict(test) == predicted).all()
        assert (pickle.loads(pickle.dumps(first)).predict(test) == predicted).all()
        order = np.random.default_rng(0).permutation(len(X))
        again = spec.build().fit(X[order], y[order]).predict(test)
    assert np.mean(predicted == truth) > 0.8
    assert np.mean(again == predicted) >= 0.99
    assert predicted.shape == truth.shape


@pytest.mark.parametrize("name", ON_A_LAYER)
def test_a_class_without_points_is_never_predicted(name: str) -> None:
    X, y = activations(300)
    kept = y != 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = REGISTRY.decoders[name].build().fit(X[kept], y[kept]).predict(X)
    assert set(predicted) == {0, 1, 3, 4}


@pytest.mark.parametrize("name", REGISTRY.decoders)
def test_a_built_decoder_is_fresh_and_its_parameters_survive_a_clone(name: str) -> None:
    spec = REGISTRY.decoders[name]
    assert spec.build() is not spec.build()
    estimator: Any = spec.build()
    assert str(clone(estimator)) == str(estimator)


@pytest.mark.parametrize("name", REGISTRY.models)
def test_models_are_as_wide_as_the_task_and_seeded(name: str) -> None:
    task = Task(channels=3, height=32, width=32, num_classes=7)
    spec = REGISTRY.models[name]
    layers = find_layers(spec, task, 128)
    assert len(layers) >= 3
    assert layers[-1].dim == 7
    assert len({layer.name for layer in layers}) == len(layers)
    first, again = (initial_module(spec, task, seed).state_dict() for seed in (1, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)


def available(name: str) -> bool:
    try:
        REGISTRY.datasets[name].files(default_data_dir())
    except DataNotFoundError:
        return False
    return True


@pytest.mark.parametrize("name", [name for name in REGISTRY.datasets if available(name)])
def test_data_sets_on_this_machine_keep_the_contract(name: str) -> None:
    spec = REGISTRY.datasets[name]
    data = load_data(spec, default_data_dir())  # checks shapes, types and labels
    again = spec.load(default_data_dir())
    assert (data.train_y == again.train_y).all()
    assert (data.test_x == again.test_x).all()
    train = {image.tobytes() for image in data.train_x}
    shared = sum(image.tobytes() in train for image in data.test_x)
    assert shared <= 0.001 * len(data.test_x)  # Fashion-MNIST itself repeats a few images


def test_the_data_that_need_no_download_are_there() -> None:
    assert available("digits")
    assert available("noise-images")


@pytest.mark.parametrize("noun", ["models", "datasets", "decoders", "noises"])
def test_every_specification_says_what_it_is(noun: str) -> None:
    for name, spec in getattr(REGISTRY, noun).items():
        assert spec.name == name
        assert spec.summary
        assert len(spec.summary) < 100
        if noun in ("models", "decoders") and name not in ("mlp", "cnn"):
            assert spec.citation
