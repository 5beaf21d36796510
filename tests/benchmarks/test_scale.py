"""Speed at scale: `pytest tests/benchmarks --benchmark-only -s`.

A plan of 100,000 networks, the leaderboard of a million readings in 4,200 parts, and 10,000 small
parts written, read, verified and compacted. The seconds are printed and not asserted, as the
machine may be busy; what comes out is asserted.
"""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from memgen_bench import Task, load_registry
from memgen_bench.plan.plan import DataInfo, Layer
from memgen_bench.plan.planner import make_plan
from memgen_bench.plan.suite import Suite
from memgen_bench.results import schemas, store
from memgen_bench.results.compaction import compact
from memgen_bench.results.verification import verify
from memgen_leaderboard.scoring.suite_scores import all_scores
from memgen_leaderboard.tables.boards import main_table, rates_table
from memgen_leaderboard.tables.notes import board_notes
from memgen_leaderboard.tables.terminal import show

DIGITS = DataInfo(
    name="digits",
    fingerprint="f",
    task=Task(channels=1, height=8, width=8, num_classes=10),
    train_count=1297,
    test_count=500,
)
LAYERS = tuple(
    Layer(name=name, index=index, depth=index / 5, dim=64, width=64)
    for index, name in enumerate(("input", "fc1", "fc2", "fc3", "fc4", "logits"))
)
RATES = (0.2, 0.4, 0.6, 0.8, 1.0)
KINDS = (("untrained", 0.0), ("clean", 0.0), *(("memorized", rate) for rate in RATES))
DATASETS = ("cifar10", "digits", "mnist", "svhn", "usps")
MODELS = ("cnn", "mlp", "resnet", "vit")
DECODERS = [f"decoder-{place:02}" for place in range(1, 14)]  # the best first
START = datetime(2026, 1, 1, tzinfo=UTC)


def say(benchmark: Any, what: str) -> None:
    found = benchmark.stats.stats
    print(f"\n{what}: {found.median:.2f} s, at best {found.min:.2f} s")


def test_a_plan_of_100_000_networks(benchmark: Any) -> None:
    suite = Suite(
        name="wide",
        version=1,
        models=("mlp",),
        datasets=("digits",),
        kinds=("untrained", "memorized"),  # and the clean ones
        rates=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        seeds=tuple(range(10_000)),
    )
    registry, data = load_registry(), {"digits": DIGITS}
    plan = benchmark.pedantic(
        lambda: make_plan(suite, registry, data, find_layers=lambda *_: LAYERS, device_type="cpu"),
        rounds=3,
        warmup_rounds=1,  # the first one imports torch
    )
    assert len(plan.networks) == len({network.network_id for network in plan.networks}) == 100_000
    say(benchmark, "a plan of 100,000 networks")


@pytest.mark.parametrize("compacted", [False, True], ids=["as run", "compacted"])
def test_the_leaderboard_of_a_million_readings(benchmark: Any, compacted: bool) -> None:
    readings = a_million_readings()
    with TemporaryDirectory() as folder:
        store_in_parts(readings, Path(folder))
        if compacted:
            compact(Path(folder))
        parts = len(list(Path(folder, "readings").iterdir()))
        shown = benchmark.pedantic(lambda: leaderboard(Path(folder)), rounds=3)
    assert readings.height == 1_033_800
    recovery = 6  # after rank, decoder, X ± its half-width, and E
    found = {row[1]: float(row[recovery]) for row in shown if row[0][0].isdigit()}
    assert list(found) == DECODERS
    planted = {name: 90 - 6 * place for place, name in enumerate(DECODERS)}
    assert found == pytest.approx(planted, abs=2)  # validation shares its noise with test
    say(benchmark, f"the leaderboard of {readings.height:,} readings in {parts:,} parts")


@pytest.fixture(scope="module")
def small_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of 5,000 networks with 20 readings each, written as a run writes them."""
    folder = tmp_path_factory.mktemp("small")
    readings = a_million_readings().filter(pl.int_range(pl.len()) < 100_000)
    number = pl.int_range(pl.len()) // 20
    rows = whole(readings).with_columns(network_id=pl.format("net{}", number)).to_arrow()
    names = [f"net{number}" for number in range(5_000)]
    started = time.perf_counter()
    for at, name in enumerate(names):
        network = {"network_id": name, "status": "ok", "created": START, "curve_loss": [0.5] * 30}
        store.write_part(folder, "networks", name, store.table("networks", [network]))
        part = rows.slice(20 * at, 20).cast(schemas.READINGS)
        store.write_part(folder, "readings", name, part)
    each = (time.perf_counter() - started) / len(names)
    print(f"\nthe two parts of a network written: {1000 * each:.1f} ms")
    return folder


def test_small_parts_are_read(benchmark: Any, small_parts: Path) -> None:
    columns = ["key", "status"]
    rows = benchmark.pedantic(lambda: store.read_frame(small_parts, "readings", columns), rounds=3)
    assert rows.height == 100_000
    say(benchmark, "status of all readings in 5,000 parts")


def test_small_parts_are_verified(benchmark: Any, small_parts: Path) -> None:
    faults = benchmark.pedantic(lambda: verify(small_parts), rounds=1)
    assert faults == []
    say(benchmark, "10,000 parts verified")


def test_small_parts_are_compacted(benchmark: Any, small_parts: Path) -> None:
    done = benchmark.pedantic(lambda: compact(small_parts), rounds=1)
    assert [(table.before, table.after) for table in done] == [(5000, 1), (5000, 1), (0, 0), (0, 0)]
    assert store.read_frame(small_parts, "readings", ["key"]).height == 100_000
    say(benchmark, "10,000 parts compacted")


def leaderboard(results: Path) -> list[list[str]]:
    """Print the leaderboard and return its lines, split into words."""
    console = Console(file=io.StringIO(), width=140)
    for scores in all_scores(results):
        show(main_table(scores, board_notes(scores)), console)
        show(rates_table(scores), console)
    shown: str = console.file.getvalue()  # type: ignore[attr-defined]
    return [words for line in shown.splitlines() if (words := line.split())]


def a_million_readings() -> pl.DataFrame:
    """Return readings in which each decoder recovers 6 points less than the one before."""
    networks = pl.DataFrame(
        [(*names, *kind) for *names, kind in product(DATASETS, MODELS, range(30), KINDS)],
        schema=["dataset", "model", "seed", "kind", "own_rate"],
        orient="row",
    )
    fits = pl.DataFrame([fit for kind in KINDS for fit in fits_on(*kind)])
    return completed(networks.join(fits, on=["kind", "own_rate"], maintain_order="left_right"))


def fits_on(kind: str, own_rate: float) -> list[dict[str, Any]]:
    """Return what is read from a network of some kind, its own readout first."""
    network = {"kind": kind, "own_rate": own_rate}
    readout = 0.1 if kind == "untrained" else 0.9 - 0.7 * own_rate
    found = [fit(network, None, own_rate, "readout", LAYERS[-1], readout)]
    draws = [own_rate] if kind == "memorized" else RATES
    settings = [("true", own_rate), *(("corrupted", rate) for rate in draws)]
    for (labels, rate), (place, decoder), layer in product(settings, enumerate(DECODERS), LAYERS):
        recovered = (0.9 - 0.06 * place) * 0.7 * rate
        accuracy = 0.9 - 0.7 * rate + recovered - 0.02 * abs(layer.index - 3)
        found.append(fit(network, labels, rate, decoder, layer, accuracy))
    return found


def fit(
    network: dict[str, Any],
    labels: str | None,
    rate: float,
    decoder: str,
    layer: Layer,
    accuracy: float,
) -> dict[str, Any]:
    place = {"layer": layer.name, "layer_index": layer.index, "layer_depth": layer.depth}
    what = {"labels": labels, "rate": rate, "decoder": decoder, "test_accuracy": accuracy}
    return network | place | what


def completed(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that follow from others, are noise, or are the same everywhere."""
    rng, count = np.random.default_rng(0), rows.height
    rate, corrupted, trained = pl.col("rate"), pl.col("rate") > 0, pl.col("kind") != "untrained"
    network = pl.concat_str("dataset", "model", "seed", "kind", "own_rate")
    right = rng.binomial(500, rows["test_accuracy"].to_numpy().clip(0, 1))
    bits = np.packbits(np.arange(500) < np.arange(501)[:, None], axis=1)
    accuracy = pl.Series(right / 500)
    noise = ("balanced_accuracy", "train_accuracy_given", "train_accuracy_true", "fit_seconds")
    return rows.with_columns(
        *(pl.Series(name, rng.random(count)) for name in noise),
        key=pl.Series(range(count)).hash().cast(pl.String),
        network_id=network.hash().cast(pl.String),
        protocol_version=1,
        noise=pl.when(corrupted).then(pl.lit("uniform")),
        noise_seed=pl.when(corrupted).then("seed"),
        init_seed="seed",
        order_seed=pl.when(trained).then("seed"),
        memorized=pl.when(trained).then(True),
        num_classes=10,
        train_count=973,
        validation_count=324,
        test_count=500,
        rankable=rate < 1,
        decoder_version=1,
        decoder_params=pl.lit("{}"),
        told_noise=False,
        layer_dim=64,
        layer_width=64,
        pooled=False,
        max_layer_dim=128,
        test_accuracy=accuracy,
        class_accuracy=pl.Series(rng.random((count, 10))).arr.to_list(),
        test_correct=pl.Series([bits[number].tobytes() for number in right]),
        validation_accuracy=(1 - rate) * accuracy + rate / 10,
        status=pl.lit("ok"),
        created=pl.lit(START) + pl.duration(milliseconds=pl.int_range(count)),
    )


def store_in_parts(readings: pl.DataFrame, folder: Path) -> None:
    """Write a part for each network, as a run does, and the plan; one network failed at first."""
    networks = whole(readings).partition_by("network_id", maintain_order=True)
    earlier = pl.col("created") - timedelta(days=1)
    failed = networks[0].with_columns(test_accuracy=None, status=pl.lit("failed"), created=earlier)
    for part in (failed, *networks):
        rows = part.to_arrow().cast(schemas.READINGS)
        store.write_part(folder, "readings", part["network_id"][0], rows)
    plan = readings.select(suite=pl.lit("wide"), suite_version=1, key="key")
    store.write_part(folder, "plans", "wide", plan.to_arrow().cast(schemas.PLANS))


def whole(readings: pl.DataFrame) -> pl.DataFrame:
    """Return readings with all columns; those that are not there are null."""
    nothing = [pl.lit(None).alias(name) for name in schemas.READINGS.names if name not in readings]
    return readings.with_columns(nothing).select(schemas.READINGS.names)
