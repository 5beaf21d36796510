"""Speed against plain references timed beside it: `pytest tests/benchmarks --benchmark-only -s`.

Real Fashion-MNIST and the paper's CNN. Nothing absolute is asserted: the machine may be busy. Each
test prints how many times faster than its reference it was.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from memgen_bench import DataNotFoundError, Task, load_registry
from memgen_bench.compute import threads
from memgen_bench.features import extract
from memgen_bench.layers import find_layers
from memgen_bench.runner import default_data_dir
from memgen_bench.training import initial_module
from memgen_plugins.subspace import MASC

if TYPE_CHECKING:
    from collections.abc import Callable

CPU = torch.device("cpu")
TASK = Task(channels=1, height=28, width=28, num_classes=10)
COUNT = 10_000


@cache
def fashion() -> Any:
    try:
        return load_registry().datasets["fashion-mnist"].load(default_data_dir())
    except DataNotFoundError as error:
        pytest.skip(str(error))


@cache
def network() -> tuple[Any, Any]:
    spec = load_registry().models["paper-cnn"]
    layers = find_layers(spec, TASK, 0)[:-1]  # input, flatten, fc1, fc2, fc3
    return initial_module(spec, TASK, 0), layers


def one_image_at_a_time(images: np.ndarray) -> dict[str, np.ndarray]:
    """Extract as the published code does, but in eval mode."""
    module, layers = network()
    parts = [extract(module, images[i : i + 1], layers, device=CPU) for i in range(len(images))]
    return {layer.name: np.concatenate([part[layer.name] for part in parts]) for layer in layers}


def textbook_masc(X: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Per class: covariance of X and -X, eigh, project and back-project in batches, arccos."""
    angles = np.empty((len(test), 10))
    for label in range(10):
        doubled = np.concatenate([X[y == label], -X[y == label]]).astype(np.float64)
        values, vectors = np.linalg.eigh(np.cov(doubled, rowvar=False))
        values, vectors = values[::-1], vectors[:, ::-1]
        p = int((np.cumsum(values) / values.sum() <= 0.99).sum()) + 1
        basis = vectors[:, :p]
        for start in range(0, len(test), 100):
            batch = test[start : start + 100].astype(np.float64)
            back = batch @ basis @ basis.T
            lengths = np.linalg.norm(batch, axis=1) * np.linalg.norm(back, axis=1)
            cosine = np.einsum("ij,ij->i", batch, back) / np.maximum(lengths, 1e-300)
            angles[start : start + 100, label] = np.arccos(np.clip(cosine, -1, 1))
    predicted: np.ndarray = angles.argmin(axis=1)
    return predicted


def seconds(function: Callable[[], Any]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def say(benchmark: Any, name: str, reference: float) -> None:
    ratio = reference / benchmark.stats.stats.median
    benchmark.extra_info["times_faster"] = ratio
    print(f"\n{name}: {ratio:.1f} times the speed of its reference")


def test_extraction_against_one_image_at_a_time(benchmark: Any) -> None:
    images, (module, layers) = fashion().train_x[:2000], network()
    with threads(2):
        few = images[:200]
        slow = seconds(lambda: one_image_at_a_time(few)) * len(images) / len(few)
        found = benchmark.pedantic(
            lambda: extract(module, images, layers, device=CPU), rounds=3, warmup_rounds=1
        )
        expected = one_image_at_a_time(few)
    for name, matrix in expected.items():
        np.testing.assert_allclose(found[name][: len(few)], matrix, atol=1e-4)
    say(benchmark, "extraction", slow)


def test_masc_of_five_layers_against_the_textbook(benchmark: Any) -> None:
    data, (module, layers) = fashion(), network()
    y = data.train_y[:COUNT]
    with threads(2):
        train = extract(module, data.train_x[:COUNT], layers, device=CPU)
        test = extract(module, data.test_x[:COUNT], layers, device=CPU)
        started = time.perf_counter()
        expected = {name: textbook_masc(train[name], y, test[name]) for name in train}
        slow = time.perf_counter() - started
        found = benchmark.pedantic(
            lambda: {name: MASC().fit(train[name], y).predict(test[name]) for name in train},
            rounds=3,
            warmup_rounds=1,
        )
    for name, labels in expected.items():
        assert np.mean(found[name] == labels) > 0.999, name
    say(benchmark, "MASC, five layers", slow)
