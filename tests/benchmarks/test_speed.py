"""Speed against plain references timed beside it: `pytest tests/benchmarks --benchmark-only -s`.

Real Fashion-MNIST and the paper's CNN, two threads. Each test prints its figure beside the one
that was asked for, and the limit: what the figure would be if all went away that the library's own
kernels do not need. Nothing absolute is asserted, since the machine may be busy. Its speed drifts,
too: what is compared is warmed alike, takes turns, and counts by its median.
"""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.linalg.blas import dsyrk
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader

import memgen_bench
from benchmarks.plain import (
    PerImage,
    one_image_at_a_time,
    pickled,
    seconds,
    textbook_masc,
    usual_epoch,
)
from memgen_bench import DataNotFoundError, Task, load_registry, seeds
from memgen_bench.compute import as_tensor, keep_freed_memory, tensor_of, threads
from memgen_bench.data.planned_data import PlannedData
from memgen_bench.decode.activations import extract, stream
from memgen_bench.decode.eigen import eigh
from memgen_bench.decode.moments import Adding, KeptMoments, Labelling, Moments, moments_of
from memgen_bench.decode.reader import Reader
from memgen_bench.files.places import default_data_dir, find_places
from memgen_bench.network.layers import find_layers
from memgen_bench.network.training import (
    initial_module,
    make_optimizer,
    on_grid,
    predict,
    train_epoch,
)
from memgen_bench.plan.suite import load_suite
from memgen_bench.running.runner import plan_run
from memgen_plugins.decoders.layer.subspace import MASC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memgen_bench.plan.plan import Layer

CPU = torch.device("cpu")
TASK = Task(channels=1, height=28, width=28, num_classes=10)
COUNT = 10_000
ROUNDS = 3
EPOCHS = 168  # that the paper's CNN took to memorize 10,000 images at rate 0.4
LEAST = "  products and eigenproblems alone, all in float32"
LEAST_64 = "  the same with float64 products for the moments"


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


def timed(
    benchmark: Any,
    ours: Callable[[], Any],
    *others: Callable[[], Any],
    rounds: int = ROUNDS,
    warmup: int = 1,
) -> tuple[Any, list[float]]:
    """Time a function, and before each of its rounds what it is compared with.

    Returns:
        What the function returned, and the median seconds of the others.
    """
    taken: list[list[float]] = []

    def others_first() -> None:
        taken.append([seconds(other) for other in others])

    found = benchmark.pedantic(ours, setup=others_first, rounds=rounds, warmup_rounds=warmup)
    return found, [statistics.median(each) for each in zip(*taken[warmup:], strict=True)]


def say(benchmark: Any, what: str, value: float, asked: str) -> None:
    benchmark.extra_info[what] = value
    print(f"\n{what}: {value:.2f} (asked: {asked})")


def test_extraction(benchmark: Any) -> None:
    images, (module, layers) = fashion().train_x[:4000], network()
    few = PerImage(images[:400], fashion().train_y[:400])
    names = [layer.name for layer in layers]
    x = tensor_of(images, CPU)
    found, (slow, bare) = timed(
        benchmark,
        lambda: extract(module, images, layers, device=CPU),
        lambda: one_image_at_a_time(module, few, names),
        lambda: forward(module, x),
    )
    for name, matrix in one_image_at_a_time(module, few, names).items():
        np.testing.assert_allclose(found[name][: len(few)], matrix, atol=1e-3)
    slow *= len(images) / len(few)
    say(benchmark, "extraction, times one image at a time", slow / median(benchmark), ">= 10")
    say(benchmark, "  the bare forward pass alone would be", slow / bare, "limit")


def median(benchmark: Any) -> float:
    return float(benchmark.stats.stats.median)


def masc(train: Any, y: np.ndarray, test: Any) -> dict[str, np.ndarray]:
    found = {}
    for name, X in train.items():
        decoder = MASC().fit_moments(moments_of(X, y))
        found[name] = decoder.predict(as_tensor(test[name]))
    return found


def textbook(train: Any, y: np.ndarray, test: Any) -> dict[str, np.ndarray]:
    return {name: textbook_masc(X, y, test[name]) for name, X in train.items()}


def test_masc_of_five_layers(benchmark: Any) -> None:
    train, test = activations()
    y = given()[:COUNT]
    found, (slow, least, least64) = timed(
        benchmark,
        lambda: masc(train, y, test),
        lambda: textbook(train, y, test),
        least_of_masc(train, y, test, float64=False),
        least_of_masc(train, y, test, float64=True),
    )
    for name, labels in textbook(train, y, test).items():
        assert np.mean(found[name] == labels) > 0.999, name
    say(benchmark, "MASC of five layers, times the textbook", slow / median(benchmark), ">= 4")
    say(benchmark, LEAST, slow / least, "limit")
    say(benchmark, LEAST_64, slow / least64, "limit")


def half_a_product(rows: torch.Tensor) -> None:
    """Take as many products as a symmetric one needs, in a form in which they are fastest."""
    half = rows[: len(rows) // 2]
    half.T @ half


def symmetric_product(rows: torch.Tensor) -> None:
    """Compute rowsᵀ·rows by the BLAS routine that is made for it, in float64."""
    dsyrk(1.0, rows.numpy().T)


def least_of_masc(
    train: Any,
    y: np.ndarray,
    test: Any,
    *,
    float64: bool,
) -> Callable[[], None]:
    """Return what MASC cannot do without: no copy, no check; float64 for the moments, or not."""
    square = symmetric_product if float64 else half_a_product
    layers = []
    for name, X in train.items():
        axes = as_tensor(MASC().fit_moments(moments_of(X, y)).components_)
        rows = [as_tensor(X[y == k]) for k in range(10)]
        squares = [part.T @ part for part in rows]
        factors = [part.double() if float64 else part for part in rows]
        layers.append((squares, factors, test[name], axes))

    def least() -> None:
        for squares, factors, T, axes in layers:
            for factor in factors:
                square(factor)
            eigenproblems(squares)
            as_tensor(T) @ axes.T

    return least


def eigenproblems(squares: list[torch.Tensor]) -> None:
    """Solve them in float32 and as they are, side by side, a thread for each."""
    with (
        threadpool_limits(limits=1, user_api="blas"),
        ThreadPoolExecutor(2, initializer=partial(torch.set_num_threads, 1)) as pool,
    ):
        list(pool.map(torch.linalg.eigh, squares))
    torch.set_num_threads(2)


def test_from_network_to_accuracies(benchmark: Any, tmp_path: Path) -> None:
    (module, layers), y = network(), given()[:COUNT]
    names = [layer.name for layer in layers]
    images = (fashion().train_x[:COUNT], fashion().test_x)
    few = [PerImage(x[:500], y[:500]) for x in images]
    (train, test), tensors = activations(), [tensor_of(x, CPU) for x in images]

    def extracted_slowly() -> None:
        for part in few:
            pickled(one_image_at_a_time(module, part, names), tmp_path)

    def ours() -> Any:
        features, unseen = (extract(module, x, layers, device=CPU) for x in images)
        return masc(features, y, unseen)

    found, (extraction, decoding, bare, least, least64) = timed(
        benchmark,
        ours,
        extracted_slowly,
        lambda: textbook(train, y, test),
        lambda: forward(module, *tensors),
        least_of_masc(train, y, test, float64=False),
        least_of_masc(train, y, test, float64=True),
    )
    assert set(found) == set(train)
    slow = extraction * COUNT / 500 + decoding
    say(benchmark, "network to accuracies, times the plain way", slow / median(benchmark), ">= 12")
    print("\nforward passes, and of MASC:")
    say(benchmark, LEAST, slow / (bare + least), "limit")
    say(benchmark, LEAST_64, slow / (bare + least64), "limit")


def forward(module: Any, *images: torch.Tensor) -> None:
    module.eval()
    with torch.inference_mode():
        for x in images:
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
    halves = [torch.randn(1024, layer.dim) for layer in layers]
    _, (bare, products) = timed(
        benchmark,
        ours,
        lambda: forward(module, x),
        lambda: [half.T @ half for half in halves],
    )
    share = median(benchmark) / bare
    say(benchmark, "streaming with moments, times the bare forward pass", share, "<= 1.4")
    # Half a product a point, as they are symmetric; a wrongly labelled point is added up twice.
    added = len(images) + int((settings["corrupted"] != settings["true"]).sum())
    least = 1 + products * added / 2 / 1024 / bare
    say(benchmark, "  with no more than the products", least, "limit")


def test_share_of_the_matrix_product_rate(benchmark: Any) -> None:
    """2ND^2 for the second moments as full products, 2MD sum(p_k) for the predictions."""
    module, layers = network()
    X, T = (
        as_tensor(extract(module, x, layers[:1], device=CPU)["flatten"])
        for x in (fashion().train_x, fashion().test_x)
    )
    y = given()

    def ours() -> MASC:
        decoder: MASC = MASC().fit_moments(moments_of(X, y))
        decoder.predict(T)
        return decoder

    needs = {"flatten": X.numpy()}, y, {"flatten": T}
    a = torch.randn(2048, 2048)
    decoder, (product, least, least64) = timed(
        benchmark,
        ours,
        lambda: a @ a,
        least_of_masc(*needs, float64=False),
        least_of_masc(*needs, float64=True),
    )
    rate = 2 * 2048**3 / product
    work = 2 * len(X) * 576**2 + 2 * len(T) * 576 * int(decoder.n_components_.sum())
    print(f"\nGEMM {rate / 1e9:.0f} GFLOP/s, sum of p_k {decoder.n_components_.sum()}")
    say(benchmark, "share of the GEMM rate", work / median(benchmark) / rate, ">= 0.5")
    done = work - len(X) * 576**2
    share = done / median(benchmark) / rate
    say(benchmark, "  the same, symmetric products counted by half", share, "-")
    say(benchmark, LEAST, work / least / rate, "limit")
    say(benchmark, LEAST_64, work / least64 / rate, "limit")


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

    _, (slow,) = timed(benchmark, narrow, wide)
    say(
        benchmark,
        "Gram side at D = 2,048, n_k = 1,000, times the wide one",
        slow / median(benchmark),
        ">= 3",
    )


@pytest.mark.parametrize(("precision", "asked"), [("fp32", ">= 1.9"), ("bf16", ">= 3")])
def test_an_epoch(benchmark: Any, precision: Any, asked: str) -> None:
    """On a fifth of the images; the usual loop's workers have started before it is timed."""
    spec, data, count = load_registry().models["paper-cnn"], fashion(), 12_000
    x, y = tensor_of(data.train_x[:count], CPU), torch.from_numpy(given()[:count])
    images = PerImage(data.train_x[:count], given()[:count])
    loader = DataLoader(
        images, spec.recipe.batch_size, shuffle=True, num_workers=2, persistent_workers=True
    )

    def module() -> Any:
        return initial_module(spec, TASK, 0).to(memory_format=torch.channels_last)

    def ours() -> None:
        recipe, network = dataclasses.replace(spec.recipe, precision=precision), module()
        optimizer, rng = make_optimizer(network, recipe), seeds.stream(0, "order")
        train_epoch(network, optimizer, x, y, recipe, rng)

    def bare() -> None:
        network, batch = module().train(), x[: spec.recipe.batch_size]
        for _ in range(len(loader)):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                logits = network(batch)
            logits.float().sum().backward()

    _, (slow, least) = timed(
        benchmark,
        ours,
        lambda: usual_epoch(initial_module(spec, TASK, 0), loader, spec.recipe.lr),
        bare,
    )
    print(f"\nseconds an epoch: usual {5 * slow:.1f}, {precision} {5 * median(benchmark):.1f}")
    say(benchmark, f"epoch in {precision}, times the usual loop", slow / median(benchmark), asked)
    say(benchmark, "  forward and backward passes alone", slow / least, "limit")


def read(decoders: list[str], cache_dir: Path) -> None:
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
    plan = plan_run(suite, registry, find_places(cache_dir=cache_dir), device="cpu")
    planned = next(network for network in plan.networks if network.kind == "memorized")
    data = PlannedData(planned, (), default_data_dir())
    reader = Reader(planned, data, network()[0], CPU, 8 << 30)
    readings = [each for each in planned.readings if each.decoding.decoder]
    for _, outcome in reader.outcomes(readings):
        assert outcome.status == "ok", outcome.message


# The decoders of the paper and their usual rivals, none of them slow.
FIRST = [
    "knn-5",
    "knn-50",
    "lda",
    "lda-shrunk",
    "linear-svm",
    "logreg",
    "masc",
    "masc-75",
    "ncm",
    "ncm-euclidean",
    "qda-shrunk",
    "ridge",
    "velpic",
]


@pytest.mark.parametrize(("precision", "asked"), [("fp32", "<= 5.0"), ("bf16", "<= 3.2")])
def test_an_epoch_and_its_evaluation(benchmark: Any, precision: Any, asked: str) -> None:
    """On one thread, as in `fashion-10k`: 9,000 images, and the share of a training's tests."""
    spec = load_registry().models["paper-cnn"]
    recipe = dataclasses.replace(spec.recipe, precision=precision)
    module = initial_module(spec, TASK, 0).to(memory_format=torch.channels_last)
    x, y = tensor_of(fashion().train_x[:9000], CPU), torch.from_numpy(given()[:9000])
    validation, test = fashion().train_x[9000:11500], fashion().test_x
    optimizer, rng = make_optimizer(module, recipe), seeds.stream(0, "order")
    with threads(1):
        _, (on_validation, on_test) = timed(
            benchmark,
            lambda: train_epoch(module, optimizer, x, y, recipe, rng),
            lambda: predict(module, tensor_of(validation, CPU)),
            lambda: predict(module, tensor_of(test, CPU)),
        )
    # Those that are best on validation come on top: fewer than ten of a training.
    tested = sum(map(on_grid, range(1, EPOCHS + 1))) / EPOCHS
    whole = median(benchmark) + on_validation + tested * on_test
    say(benchmark, f"{precision} epoch of 9,000 images with its evaluation, seconds", whole, asked)


@pytest.mark.parametrize(("which", "asked"), [("moments", "<= 3"), ("first", "<= 10")])
def test_decoding_against_training(benchmark: Any, tmp_path: Path, which: str, asked: str) -> None:
    """Training is one epoch of 60,000 images, timed here, times EPOCHS: an estimate."""
    network()  # made before anything is timed
    decoders = load_registry().decoders
    if which == "moments":
        names = [
            name
            for name in decoders
            if hasattr(decoders[name].build(), "fit_moments") and not decoders[name].needs
        ]
    else:
        names = FIRST
    spec, x = load_registry().models["paper-cnn"], tensor_of(fashion().train_x, CPU)
    module = initial_module(spec, TASK, 0).to(memory_format=torch.channels_last)
    optimizer, rng = make_optimizer(module, spec.recipe), seeds.stream(0, "order")
    y = torch.from_numpy(given())
    _, (epoch,) = timed(
        benchmark,
        lambda: read(names, tmp_path),
        lambda: train_epoch(module, optimizer, x, y, spec.recipe, rng),
        rounds=1,  # cold, as a network is decoded once
        warmup=0,
    )
    print(f"\n{epoch:.1f} s an epoch, {median(benchmark):.1f} s of decoding")
    share = 100 * median(benchmark) / (epoch * EPOCHS)
    say(benchmark, f"{which} decoders, share of training in %", share, asked)


def test_jobs(benchmark: Any, tmp_path: Path) -> None:
    """All of `core` but for rates and seeds: 12 networks, trained and decoded from nothing."""
    chosen: dict[str, Any] = {"rates": [0.4, 0.8], "seeds": [0], "kinds": ["memorized"]}

    def run(jobs: int) -> None:
        folder = tmp_path / f"{time.monotonic_ns()}"
        results, cache_dir = folder / "results", folder / "cache"
        memgen_bench.run("core", **chosen, results=results, cache_dir=cache_dir, jobs=jobs)

    memgen_bench.run("smoke", results=tmp_path / "warm", cache_dir=tmp_path / "warm")
    _, (one,) = timed(benchmark, lambda: run(2), lambda: run(1), rounds=1, warmup=0)
    say(benchmark, "core with two jobs, times one job", one / median(benchmark), ">= 1.6")


@pytest.mark.parametrize(("verb", "asked"), [("--help", "<= 0.3 s"), ("list", "<= 2 s")])
def test_start(benchmark: Any, verb: str, asked: str) -> None:
    command = [str(Path(sys.executable).parent / "memgen-bench"), verb]
    timed(benchmark, lambda: subprocess.run(command, check=True, capture_output=True))
    say(benchmark, f"memgen-bench {verb}, seconds", median(benchmark), asked)
