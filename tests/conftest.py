"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest

from helpers.forking import Forking
from helpers.readings import Bench
from memgen_bench.workers import child

if TYPE_CHECKING:
    from memgen_bench.plan.plan import Plan

# How long an example takes says nothing about it; a busy machine takes longer.
hypothesis.settings.register_profile("memgen", deadline=None, print_blob=True)
hypothesis.settings.load_profile("memgen")

# What `pytest -m quick` runs, unless it is slow: the pure core, and one small run with its board.
QUICK = (
    "bench/cli/test_leaderboard.py",
    "bench/data",
    "bench/plan",
    "bench/plugin",
    "bench/results/test_mismatches.py",
    "bench/results/test_parts.py",
    "bench/results/test_schemas.py",
    "bench/results/test_store.py",
    "leaderboard/scoring/test_published.py",
    "leaderboard/scoring/test_suite_scores.py",
    "leaderboard/tables/test_latex.py",
    "leaderboard/tables/test_markdown.py",
    "leaderboard/tables/test_terminal.py",
    "plugins/decoders/layer/test_centroid.py",
    "plugins/decoders/layer/test_subspace.py",
    "test_layout.py",
)

WAITING = ("browser", "benchmarks")  # folders


def is_quick(path: Path) -> bool:
    """Say whether a file is one of `QUICK`, or below one of them."""
    place = path.relative_to(Path(__file__).parent)
    return any(place.is_relative_to(quick) for quick in QUICK)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark quick tests, and put those first that mostly wait, so that others run meanwhile."""
    items.sort(key=lambda item: item.path.parent.name not in WAITING)
    for item in items:
        if is_quick(item.path) and item.get_closest_marker("slow") is None:
            item.add_marker("quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files that `-m quick` would import for nothing."""
    leave_out = config.option.markexpr == "quick" and collection_path.is_file()
    return True if leave_out and not is_quick(collection_path) else None


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of `pytest -n`, and each that it starts, one thread.

    Together they have the cores; threads that wait for others' would take them sixteen-fold.
    """
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


ReadingMaker = Callable[..., dict[str, Any]]
Planner = Callable[..., "Plan"]
PluginWriter = Callable[[str, str], Path]


@pytest.fixture(scope="session", autouse=True)
def forked_children() -> Iterator[None]:
    """Fork the children of runs from a process that has imported all, which takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "subprocess", Forking)
        yield


@pytest.fixture
def true_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start children as programs of their own, as everybody's runs do."""
    monkeypatch.setattr(child, "subprocess", subprocess)


@pytest.fixture(scope="session")
def make_reading() -> ReadingMaker:
    """Return a maker of one row of the readings table; what is not said has a plain value."""

    def make(**columns: Any) -> dict[str, Any]:
        row: dict[str, Any] = {
            "protocol_version": 1,
            "model": "mlp",
            "dataset": "digits",
            "noise": "uniform",
            "rate": 0.4,
            "seed": 0,
            "kind": "memorized",
            "memorized": True,
            "num_classes": 10,
            "train_count": 300,
            "validation_count": 100,
            "test_count": 200,
            "rankable": True,
            "labels": "corrupted",
            "fitted_on": "training",
            "decoder": "masc",
            "decoder_version": 1,
            "decoder_params": "{}",
            "told_noise": False,
            "layer": "fc1",
            "layer_index": 1,
            "layer_depth": 0.25,
            "max_layer_dim": 128,
            "test_accuracy": 0.5,
            "validation_accuracy": 0.5,
            "status": "ok",
            "created": datetime(2026, 1, 1, tzinfo=UTC),
        } | columns
        for name in ("noise_seed", "init_seed", "order_seed"):
            row.setdefault(name, row["seed"])
        network = [row[name] for name in ("kind", "model", "dataset", "seed", "order_seed")]
        if row["kind"] == "memorized":
            network += [row["noise"], row["rate"]]
        row.setdefault("network_id", "-".join(map(str, network)))
        row.setdefault("key", "/".join(map(str, row.values())))
        if row["test_accuracy"] is not None:
            right = np.arange(row["test_count"]) < round(row["test_accuracy"] * row["test_count"])
            row.setdefault("test_correct", np.packbits(right).tobytes())
        return row

    return make


@pytest.fixture(scope="session")
def plan_digits() -> Planner:
    """Return a planner of one small network of each kind on digits; axes replace the suite's."""
    from memgen_bench import Task, load_registry
    from memgen_bench.plan.plan import DataInfo, Layer
    from memgen_bench.plan.planner import make_plan
    from memgen_bench.plan.suite import Suite

    task = Task(channels=1, height=8, width=8, num_classes=10)
    data = DataInfo(name="digits", fingerprint="f", task=task, train_count=1297, test_count=500)
    layers = tuple(
        Layer(name=name, index=index, depth=index, dim=64, width=64)
        for index, name in enumerate(("hidden", "logits"))
    )
    registry = load_registry()

    def plan(**axes: Any) -> Plan:
        fields: dict[str, Any] = {
            "name": "small",
            "version": 1,
            "rates": [0.4],
            "kinds": ["memorized", "clean", "untrained"],
            "decoders": ["ncm"],
        }
        if "pairs" not in axes:
            fields |= {"models": ["mlp"], "datasets": ["digits"]}
        return make_plan(
            Suite.model_validate(fields | axes),
            registry,
            {"digits": data},
            find_layers=lambda *_: layers,
            device_type="cpu",
        )

    return plan


@pytest.fixture(scope="session")
def new_bench(make_reading: ReadingMaker) -> Callable[[], Bench]:
    """Return a maker of empty benches."""
    return lambda: Bench(make_reading)


@pytest.fixture
def bench(new_bench: Callable[[], Bench]) -> Bench:
    """Return an empty bench."""
    return new_bench()


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Compute on one thread, as workers do: more are no help where matrices are small."""
    from memgen_bench.compute import threads

    with threads(1):
        yield


@pytest.fixture(scope="module")
def no_collections() -> Iterator[None]:
    """Keep statsmodels from collecting garbage at each call: it takes long where much is loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gc.collect", lambda *_: 0)
        yield


@pytest.fixture
def plugin_file(tmp_path: Path) -> PluginWriter:
    """Return a writer of plugin files: name and source to path."""

    def write(name: str, source: str) -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        return path

    return write


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginWriter]:
    """Return an installer of plugins: name and source to the module, uninstalled afterwards.

    The distribution is called `<name>-dist`, its version is 2.5.
    """
    modules: list[str] = []

    def install(name: str, source: str) -> Path:
        site = tmp_path / f"site-{name}"
        info = site / f"{name}_dist-2.5.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 2.5\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(f"[memgen_bench]\n{name} = {name}_module\n")
        module = site / f"{name}_module.py"
        module.write_text(source)
        monkeypatch.syspath_prepend(str(site))
        modules.append(module.stem)
        return module

    yield install
    for module in modules:
        sys.modules.pop(module, None)
