"""Speed against plain references timed beside it: `pytest tests/benchmarks --benchmark-only -s`.

Real Fashion-MNIST and the paper's CNN, two threads. Each test prints its figure beside the one
that was asked for; nothing absolute is asserted, since the machine may be busy.
"""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
import time
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from plain import (
    PerImage,
    one_image_at_a_time,
    pickled,
    seconds,
    textbook_masc,
    usual_epoch,
)
from torch.utils.flop_counter import FlopCounterMode

import memgen_bench
from memgen_bench import DataNotFoundError, Task, load_registry, seeds
from memgen_bench.compute import as_tensor, keep_freed_memory, tensor_of, threads
from memgen_bench.eigen import eigh
from memgen_bench.features import extract, stream
from memgen_bench.layers import find_layers
from memgen_bench.materials import Materials
from memgen_bench.moments import Adding, KeptMoments, Labelling, Moments, moments_of
from memgen_bench.reader import Reader
from memgen_bench.runner import default_data_dir, plan_run
from memgen_bench.suites import load_suite
from memgen_bench.training import initial_module, make_optimizer, train_epoch
from memgen_plugins.subspace import MASC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memgen_bench.plan import Layer

CPU = torch.device("cpu")
TASK = Task(channels=1, height=28, width=28, num_classes=10)
COUNT = 10_000
ROUNDS = 3
EPOCHS = 168  # that the paper's CNN took to memorize 10,000 images at rate 0.4


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    keep_freed_memory()
    with threads(2):
        yield


@cache
def fashion() -> Any:
    try:
        return load_registry().datasets["fashion-mnist"].load(default_data_dir())
    except DataNotFoundError as error:
        pytest.skip(str(error))


@cache
def given() -> np.ndarray:
    noise = load_registry().noises["uniform"]
    y = fashion().train_y.astype(np.int64)
    return noise.corrupt(y, 0.4, 10, np.random.default_rng(0))


@cache
def network() -> tuple[Any, tuple[Layer, ...]]:
    """Return the paper's CNN after four epochs on 10,000 corrupted labels, and its five layers."""
    spec = load_registry().models["paper-cnn"]
    module = initial_module(spec, TASK, 0).to(memory_format=torch.channels_last)
    x, y = tensor_of(fashion().train_x[:COUNT], CPU), torch.from_numpy(given()[:COUNT])
    optimizer, rng = make_optimizer(module, spec.recipe), seeds.stream(0, "order")
    with threads(2):
        for _ in range(4):
            train_epoch(module, optimizer, x, y, spec.recipe, rng)
    return module, find_layers(spec, TASK, 0)[:-1]


@cache
def activations(count: int = COUNT) -> tuple[Any, Any]:
    module, layers = network()
    with threads(2):
        train, test = (
            extract(module, x[:count], layers, device=CPU)
            for x in (fashion().train_x, fashion().test_x)
        )
    return train, test


def timed(benchmark: Any, function: Callable[[], Any]) -> Any:
    return benchmark.pedantic(function, rounds=ROUNDS, warmup_rounds=1)


def median_of(function: Callable[[], Any]) -> float:
    return statistics.median(seconds(function) for _ in range(ROUNDS))


def say(benchmark: Any, what: str, value: float, asked: str) -> None:
    benchmark.extra_info[what] = value
    print(f"\n{what}: {value:.2f} (asked: {asked})")


def test_extraction(benchmark: Any) -> None:
    images, (module, layers) = fashion().train_x[:4000], network()
    few = PerImage(images[:400], fashion().train_y[:400])
    names = [layer.name for layer in layers[1:]]
    slow = median_of(lambda: one_image_at_a_time(module, few, names)) * len(images) / len(few)
    found = timed(benchmark, lambda: extract(module, images, layers, device=CPU))
    for name, matrix in one_image_at_a_time(module, few, names).items():
        np.testing.assert_allclose(found[name][: len(few)], matrix, atol=1e-3)
    say(benchmark, "extraction, times one image at a time", slow / median(benchmark), ">= 10")
    bare = median_of(lambda: forward(module.eval(), tensor_of(images, CPU)))
    say(benchmark, "  the bare forward pass alone would be", slow / bare, "limit")


def median(benchmark: Any) -> float:
    return float(benchmark.stats.stats.median)


def masc(train: Any, y: np.ndarray, test: Any) -> dict[str, np.ndarray]:
    found = {}
    for name, X in train.items():
        decoder = MASC().fit_moments(moments_of(X, y))
        found[name] = decoder.predict(as_tensor(test[name]))
    return found


def test_masc_of_five_layers(benchmark: Any) -> None:
    train, test = activations()
    y = given()[:COUNT]
    started = time.perf_counter()
    expected = {name: textbook_masc(train[name], y, test[name]) for name in train}
    slow = time.perf_counter() - started
    found = timed(benchmark, lambda: masc(train, y, test))
    for name, labels in expected.items():
        assert np.mean(found[name] == labels) > 0.999, name
    say(benchmark, "MASC of five layers, times the textbook", slow / median(benchmark), ">= 4")
    least = least_seconds_of_masc(train, y, test)
    say(benchmark, "  float32 eigenproblems and products alone", slow / least, "limit")


def least_seconds_of_masc(train: Any, y: np.ndarray, test: Any) -> float:
    """What MASC cannot do without: float32 throughout, no copy, no conversion, no check."""
    total = 0.0
    for name, X in train.items():
        axes = as_tensor(MASC().fit_moments(moments_of(X, y)).components_)
        rows, T = [as_tensor(X[y == k]) for k in range(10)], as_tensor(test[name])
        total += median_of(partial(_least, rows, T, axes))
    return total


def _least(rows: list[torch.Tensor], T: torch.Tensor, axes: torch.Tensor) -> None:
    for part in rows:
        torch.linalg.eigh(part.T @ part)
    T @ axes.T


def test_from_network_to_accuracies(benchmark: Any, tmp_path: Path) -> None:
    (module, layers), y = network(), given()[:COUNT]
    names = [layer.name for layer in layers[1:]]
    parts = [PerImage(x[:500], y[:500]) for x in (fashion().train_x, fashion().test_x)]
    started = time.perf_counter()
    for part in parts:
        pickled(one_image_at_a_time(module, part, names), tmp_path)
    slow = (time.perf_counter() - started) * COUNT / 500
    train, test = activations()
    slow += seconds(lambda: [textbook_masc(train[name], y, test[name]) for name in train])

    def ours() -> Any:
        features, unseen = (
            extract(module, x[:COUNT], layers, device=CPU)
            for x in (fashion().train_x, fashion().test_x)
        )
        return masc(features, y, unseen)

    found = timed(benchmark, ours)
    assert set(found) == set(train)
    say(benchmark, "network to accuracies, times the plain way", slow / median(benchmark), ">= 12")
    bare = 2 * median_of(lambda: forward(module.eval(), tensor_of(fashion().test_x, CPU)))
    say(benchmark, "  the bare forward passes alone would be", slow / bare, "limit")


def forward(module: Any, x: torch.Tensor) -> None:
    with torch.inference_mode():
        for batch in torch.split(x, 500):
            module(batch)


def test_streaming_with_moments(benchmark: Any) -> None:
    (module, layers), images = network(), fashion().train_x[:30_000]
    settings = {"corrupted": given()[:30_000], "true": fashion().train_y[:30_000].astype(np.int64)}
    labelling = Labelling(settings, frozenset(settings))

    def ours() -> Any:
        adding = {
            layer.name: Adding(labelling, num_classes=10, dim=layer.dim, device=CPU)
            for layer in layers
        }
        for batch in stream(module, images, layers, device=CPU):
            for name, rows in batch.items():
                adding[name].add(rows)
        return {name: [each.moments(s) for s in settings] for name, each in adding.items()}

    x = tensor_of(images, CPU)
    bare = median_of(lambda: forward(module.eval(), x))
    timed(benchmark, ours)
    say(
        benchmark,
        "streaming with moments, times the bare forward pass",
        median(benchmark) / bare,
        "<= 1.4",
    )


def matrix_product_rate(dtype: torch.dtype = torch.float32) -> float:
    """FLOPs a second of a product of two 2,048 x 2,048 matrices."""
    a = torch.randn(2048, 2048).to(dtype)
    return float(5 * 2 * 2048**3 / median_of(lambda: [a @ a for _ in range(5)]))


def test_share_of_the_matrix_product_rate(benchmark: Any) -> None:
    """2ND^2 for the second moments as full products, 2MD sum(p_k) for the predictions."""
    module, layers = network()
    X, T = (
        as_tensor(extract(module, x, layers[1:2], device=CPU)["flatten"])
        for x in (fashion().train_x, fashion().test_x)
    )
    y = given()

    def ours() -> MASC:
        decoder: MASC = MASC().fit_moments(moments_of(X, y))
        decoder.predict(T)
        return decoder

    rate = matrix_product_rate()
    decoder = timed(benchmark, ours)
    work = 2 * len(X) * 576**2 + 2 * len(T) * 576 * int(decoder.n_components_.sum())
    done = work - len(X) * 576**2  # symmetric: half of it is enough
    share = work / median(benchmark) / rate
    print(f"\nGEMM {rate / 1e9:.0f} GFLOP/s, sum of p_k {decoder.n_components_.sum()}")
    say(benchmark, "share of the GEMM rate", share, ">= 0.5")
    say(
        benchmark,
        "  the same, symmetric products counted by half",
        done / median(benchmark) / rate,
        "-",
    )


def test_gram_side(benchmark: Any) -> None:
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((2048, 2048)) * np.logspace(0, -2, 2048)
    X = np.maximum(rng.standard_normal((10_000, 2048)) @ mix + 1, 0).astype(np.float32)
    y = np.arange(10_000) % 10
    moments = KeptMoments(as_tensor(X), y)

    def wide() -> None:
        for k in range(3):
            moments._kept.clear()
            Moments._axes(moments, k, *eigh(Moments._square(moments, k)))

    def narrow() -> None:
        for k in range(3):
            moments._axes(k, *eigh(moments._square(k)))

    slow = median_of(wide)
    timed(benchmark, narrow)
    say(
        benchmark,
        "Gram side at D = 2,048, n_k = 1,000, times the wide one",
        slow / median(benchmark),
        ">= 3",
    )


def test_an_epoch(benchmark: Any) -> None:
    spec, data = load_registry().models["paper-cnn"], fashion()
    x, y = tensor_of(data.train_x, CPU), torch.from_numpy(given())

    def ours(precision: Any) -> float:
        module = initial_module(spec, TASK, 0).to(memory_format=torch.channels_last)
        recipe = dataclasses.replace(spec.recipe, precision=precision)
        optimizer, rng = make_optimizer(module, recipe), seeds.stream(0, "order")
        return seconds(lambda: train_epoch(module, optimizer, x, y, recipe, rng))

    images = PerImage(data.train_x[:30_000], given()[:30_000])

    def usual() -> float:
        return 2 * usual_epoch(initial_module(spec, TASK, 0), images, spec.recipe.lr, 128)

    taken: dict[str, list[float]] = {"usual": [], "fp32": [], "bf16": []}
    for _ in range(ROUNDS):
        taken["usual"].append(usual())
        for precision in ("fp32", "bf16"):
            taken[precision].append(ours(precision))
    benchmark.pedantic(lambda: None, rounds=1)
    slow, fp32, bf16 = (statistics.median(each) for each in taken.values())
    products = epoch_products(spec, x[:128]) * len(x)
    print(f"\nseconds an epoch: usual {slow:.1f}, fp32 {fp32:.1f}, bf16 {bf16:.1f}")
    say(benchmark, "epoch in fp32, times the usual loop", slow / fp32, ">= 1.9")
    say(benchmark, "epoch in bf16, times the usual loop", slow / bf16, ">= 3")
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        least = products / matrix_product_rate(dtype)
        say(benchmark, f"  its products alone at the {name} GEMM rate", slow / least, "limit")


def epoch_products(spec: Any, x: torch.Tensor) -> float:
    """Return the FLOPs of the matrix products and convolutions of a training step, per image."""
    module = initial_module(spec, TASK, 0).train()
    with FlopCounterMode(display=False) as counter:
        module(x).sum().backward()
    return float(counter.get_total_flops() / len(x))


def reading_seconds(decoders: list[str], cache_dir: Path) -> float:
    """Read all layers of a network on 60,000 corrupted labels, with both label settings."""
    registry = load_registry()
    chosen = {
        "models": ["paper-cnn"],
        "datasets": ["fashion-mnist"],
        "rates": [0.4],
        "kinds": ["memorized"],
        "decoders": decoders,
        "validation_fraction": 0.0,
    }
    suite = load_suite("fashion").replace(chosen)
    plan = plan_run(suite, registry, data_dir=default_data_dir(), cache_dir=cache_dir, device="cpu")
    planned = next(network for network in plan.networks if network.kind == "memorized")
    materials = Materials(planned, (), default_data_dir())
    reader = Reader(planned, materials, network()[0], CPU, 8 << 30)
    readings = [each for each in planned.readings if each.decoding.decoder]
    return seconds(lambda: [outcome for _, outcome in reader.outcomes(readings)])


def test_decoding_against_training(benchmark: Any, tmp_path: Path) -> None:
    """Training is one epoch of 60,000 images, timed here, times EPOCHS: an estimate."""
    fashion()
    decoders = load_registry().decoders
    moments = [name for name in decoders if hasattr(decoders[name].build(), "fit_moments")]
    spec, x = load_registry().models["paper-cnn"], tensor_of(fashion().train_x, CPU)
    module = initial_module(spec, TASK, 0).to(memory_format=torch.channels_last)
    optimizer, rng = make_optimizer(module, spec.recipe), seeds.stream(0, "order")
    y = torch.from_numpy(given())
    epoch = median_of(lambda: train_epoch(module, optimizer, x, y, spec.recipe, rng))
    few = median_of(lambda: reading_seconds(moments, tmp_path))
    timed(benchmark, lambda: reading_seconds(list(decoders), tmp_path))
    training = epoch * EPOCHS
    print(f"\n{epoch:.1f} s an epoch, {few:.1f} s and {median(benchmark):.1f} s of decoding")
    say(benchmark, "decoders from moments, share of training in %", 100 * few / training, "<= 3")
    share = 100 * median(benchmark) / training
    say(benchmark, "all decoders, share of training in %", share, "<= 10")


def test_jobs(benchmark: Any, tmp_path: Path) -> None:
    """All of `core` but for rates and seeds: 12 networks, trained and decoded from nothing."""
    chosen: dict[str, Any] = {"rates": [0.4, 0.8], "seeds": [0], "kinds": ["memorized"]}

    def run(jobs: int) -> None:
        folder = tmp_path / f"{time.monotonic_ns()}"
        results, cache_dir = folder / "results", folder / "cache"
        memgen_bench.run("core", **chosen, results=results, cache_dir=cache_dir, jobs=jobs)

    one = seconds(lambda: run(1))
    benchmark.pedantic(lambda: run(2), rounds=1)
    say(benchmark, "core with two jobs, times one job", one / median(benchmark), ">= 1.6")


@pytest.mark.parametrize(("verb", "asked"), [("--help", "<= 0.3 s"), ("list", "<= 2 s")])
def test_start(benchmark: Any, verb: str, asked: str) -> None:
    command = [str(Path(sys.executable).parent / "memgen-bench"), verb]
    timed(benchmark, lambda: subprocess.run(command, check=True, capture_output=True))
    say(benchmark, f"memgen-bench {verb}, seconds", median(benchmark), asked)
