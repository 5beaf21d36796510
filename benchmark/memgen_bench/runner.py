"""A run: plan, compute what is missing, store each network's rows as soon as they are there."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import psutil

from memgen_bench import store
from memgen_bench.entries import network_dir, shared_folders
from memgen_bench.errors import DataNotFoundError, MemgenError, UsageError, one_line
from memgen_bench.planner import make_plan
from memgen_bench.registry import load_registry
from memgen_bench.suites import Suite, load_suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from memgen_bench.engines import Engine
    from memgen_bench.plan import Plan, PlannedNetwork
    from memgen_bench.registry import Problem, Registry
    from memgen_bench.worker import Epoch, Result, Setting

DEFAULT_RESULTS = Path("memgen-results")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """How a run ended.

    Attributes:
        results: The results folder.
        planned: Rows of a complete run.
        ok: Planned rows that are there and fine.
        skipped: Planned rows whose decoder does not apply.
        failed: Planned rows that failed.
        networks: Networks planned.
        not_memorized: Trained networks that did not memorize their labels.
        missing_data: Data sets that were left out, with the reason.
    """

    results: Path
    planned: int
    ok: int
    skipped: int
    failed: int
    networks: int
    not_memorized: int
    missing_data: dict[str, str]


class Observer:
    """Is told how a run goes on; the command line draws a progress bar from it."""

    def problem(self, problem: Problem) -> None:
        """An installed plugin is broken; the run goes on without it."""
        warnings.warn(str(problem), stacklevel=2)

    def planned(self, plan: Plan, todo: Sequence[PlannedNetwork]) -> None:
        """The plan is made; `todo` are the networks of which readings are missing."""

    def epoch(self, news: Epoch) -> None:
        """A training goes on."""

    def finished(self, network: PlannedNetwork, rows: pa.Table) -> None:
        """A network's rows are stored."""


def default_data_dir() -> Path:
    """Return the data root: `MEMGEN_DATA`, else a folder in the platform's cache."""
    named = os.environ.get("MEMGEN_DATA")
    return Path(named) if named else platformdirs.user_cache_path("memgen-bench") / "data"


def default_cache_dir() -> Path:
    """Return the folder for trained networks: `MEMGEN_CACHE`, else the platform's cache."""
    named = os.environ.get("MEMGEN_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("memgen-bench")


def plan_run(
    suite: Suite,
    registry: Registry,
    *,
    data_dir: Path,
    cache_dir: Path,
    device: str = "auto",
    slow: bool = False,
    required_datasets: Iterable[str] = (),
) -> Plan:
    """Plan a suite on the data that is there.

    Raises:
        UsageError: An unknown name or a value that makes no sense.
        DataNotFoundError: A data set of `required_datasets` is not on disk.
        DataError: A data set is damaged.
    """
    from memgen_bench.compute import find_device
    from memgen_bench.datasets import describe
    from memgen_bench.layers import find_layers

    data, skipped = {}, {}
    for name in dict.fromkeys(pair.dataset for pair in suite.combinations()):
        spec = registry.datasets.find(name)
        try:
            data[name] = describe(spec, data_dir, cache_dir)
        except DataNotFoundError as error:
            if name in required_datasets:
                raise
            skipped[name] = str(error)
    return make_plan(
        suite,
        registry,
        data,
        find_layers=_memoized(find_layers),
        device_type=find_device(device).type,
        slow=slow,
        skipped=skipped,
    )


def _memoized(find_layers: Any) -> Any:
    known: dict[Any, Any] = {}

    def find(spec: Any, task: Any, limit: int) -> Any:
        key = (spec.name, task, limit)
        if key not in known:
            known[key] = find_layers(spec, task, limit)
        return known[key]

    return find


def run(
    suite: str | Suite = "core",
    *,
    models: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    decoders: Sequence[str] | None = None,
    noises: Sequence[str] | None = None,
    rates: Sequence[float] | None = None,
    seeds: Sequence[int] | None = None,
    kinds: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    noise_seeds: Sequence[int] | None = None,
    init_seeds: Sequence[int] | None = None,
    order_seeds: Sequence[int] | None = None,
    train_size: int | None = None,
    test_size: int | None = None,
    validation_fraction: float | None = None,
    max_layer_dim: int | None = None,
    slow: bool = False,
    results: str | Path = DEFAULT_RESULTS,
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    shared_caches: Sequence[str | Path] = (),
    device: str = "auto",
    jobs: int | None = None,
    memory: int | None = None,
    checkpoint_minutes: float = 10,
    plugins: Sequence[str | Path] = (),
    observer: Observer | None = None,
) -> Summary:
    """Run a suite: train the networks that are not cached, decode what is not in the results.

    An axis (`models` … `order_seeds`) replaces the suite's; None keeps it.

    Args:
        suite: A suite, its name, or a TOML file.
        models: Model names.
        datasets: Data set names; named ones must be on disk.
        decoders: Decoder names.
        noises: Noise names.
        rates: Shuffle rates, in [0, 1].
        seeds: Seeds.
        kinds: Of memorized, clean, untrained.
        labels: Of corrupted, true.
        noise_seeds: Crossed with the seeds, which they are by default.
        init_seeds: Likewise.
        order_seeds: Likewise.
        train_size: Training images to use.
        test_size: Test images to use.
        validation_fraction: Share of the training images set aside.
        max_layer_dim: Limit above which maps are pooled; 0 for none.
        slow: Take decoders marked `slow` too.
        results: Folder for the results.
        data_dir: Data root; see `default_data_dir`.
        cache_dir: Folder for trained networks; see `default_cache_dir`.
        shared_caches: Further folders of trained networks, only read.
        device: `auto`, `cpu`, `cuda`, `cuda:1` …
        jobs: Networks computed at once; cores divided by the recipes' threads by default.
        memory: Bytes that activations and moments may take up; what is beyond it lies in
            memory-mapped files. Half of what is free by default. Changes no number.
        checkpoint_minutes: How often a training saves its state, to go on from there.
        plugins: Plugin files that are not installed.
        observer: Is told how the run goes on.

    Returns:
        How it ended.

    Raises:
        MemgenError: What was asked for cannot be done; the message says why.
    """
    axes = {
        "models": models,
        "datasets": datasets,
        "decoders": decoders,
        "noises": noises,
        "rates": rates,
        "seeds": seeds,
        "kinds": kinds,
        "labels": labels,
        "noise_seeds": noise_seeds,
        "init_seeds": init_seeds,
        "order_seeds": order_seeds,
        "train_size": train_size,
        "test_size": test_size,
        "validation_fraction": validation_fraction,
        "max_layer_dim": max_layer_dim,
    }
    suite = (load_suite(suite) if isinstance(suite, str) else suite).replace(axes)
    data_dir = Path(data_dir) if data_dir else default_data_dir()
    cache_dir = Path(cache_dir) if cache_dir else default_cache_dir()
    observer = observer or Observer()
    registry = load_registry(plugins)
    for problem in registry.problems:
        observer.problem(problem)
    plan = plan_run(
        suite,
        registry,
        data_dir=data_dir,
        cache_dir=cache_dir,
        device=device,
        slow=slow,
        required_datasets=datasets or (),
    )
    from memgen_bench.worker import Setting

    setting = Setting(
        plugin_files=tuple(str(Path(file).resolve()) for file in plugins),
        data_dir=data_dir.resolve(),
        network_dir=network_dir(cache_dir).resolve(),
        shared_caches=shared_folders(shared_caches),
        checkpoint_minutes=checkpoint_minutes,
        device=device,
    )
    return execute(plan, setting, Path(results), jobs=jobs, memory=memory, observer=observer)


def execute(
    plan: Plan,
    setting: Setting,
    results: Path,
    *,
    jobs: int | None = None,
    memory: int | None = None,
    observer: Observer | None = None,
) -> Summary:
    """Compute the readings of a plan that a results folder lacks, and store them."""
    observer = observer or Observer()
    present = set(_statuses(results))  # reads all tables: a newer schema shows before any work
    todo = [
        (network, missing)
        for network in plan.networks
        if (missing := frozenset(r.key for r in network.readings) - present)
    ]
    networks = [network for network, _ in todo]
    jobs = _jobs(jobs, networks)
    memory = (memory or psutil.virtual_memory().available // 2) // jobs
    _check_memory(memory, networks)
    store.write_part(results, "plans", plan.suite.name, _plan_table(plan))
    observer.planned(plan, networks)
    if todo:
        with _engine(jobs, observer) as engine:
            for network, result in _compute(engine, todo, replace(setting, memory=memory)):
                store.write_part(results, "networks", network.network_id, result.networks)
                store.write_part(results, "readings", network.network_id, result.readings)
                observer.finished(network, result.readings)
    return _summary(plan, results)


def _jobs(asked: int | None, networks: Sequence[PlannedNetwork]) -> int:
    """Return how many networks are computed at once: no number depends on it."""
    threads = max((network.recipe.threads for network in networks), default=1)
    return max(1, min(asked or (os.cpu_count() or 1) // threads, len(networks)))


def _check_memory(memory: int, networks: Sequence[PlannedNetwork]) -> None:
    """Refuse a budget that the class moments of a layer do not fit into."""
    from memgen_bench.moments import least_bytes

    for network in networks:
        for layer in network.layers:
            least = least_bytes(network.train_size, layer.dim, network.data.task.num_classes)
            if least > memory:
                raise UsageError(
                    f"{memory / 2**20:.0f} MiB of memory for each network computed at once are too "
                    f"few: the class moments of layer {layer.name!r} of {network.label} take "
                    f"{least / 2**20:.0f} MiB; raise --memory, or lower --jobs or --max-layer-dim"
                )


def _engine(jobs: int, observer: Observer) -> Engine:
    from memgen_bench.engines import ProcessEngine, SerialEngine

    return ProcessEngine(jobs, observer.epoch) if jobs > 1 else SerialEngine(observer.epoch)


def _compute(
    engine: Engine,
    todo: Sequence[tuple[PlannedNetwork, frozenset[str]]],
    setting: Setting,
) -> Iterator[tuple[PlannedNetwork, Result]]:
    """Yield each network's result as it comes.

    Raises:
        MemgenError: A data set turned out to be unusable.
    """
    from memgen_bench.worker import run_network

    running: dict[Future[Result], tuple[PlannedNetwork, frozenset[str]]] = {}
    for network, keys in todo:
        running[engine.submit(run_network, network, keys, setting)] = (network, keys)
        yield from _collect(running, timeout=0)
    while running:
        yield from _collect(running, timeout=None)


def _collect(
    running: dict[Future[Result], tuple[PlannedNetwork, frozenset[str]]], *, timeout: float | None
) -> Iterator[tuple[PlannedNetwork, Result]]:
    done, _ = wait(running, timeout=timeout, return_when=FIRST_COMPLETED)
    for future in done:
        network, keys = running.pop(future)
        yield network, _result(future, network, keys)


def _result(future: Future[Result], network: PlannedNetwork, keys: frozenset[str]) -> Result:
    """Return a network's rows; those of a worker that died say so."""
    from memgen_bench.worker import failed

    try:
        return future.result()
    except MemgenError:
        raise
    except Exception as error:
        return failed(network, keys, f"its worker died ({one_line(error)})", "crash")


def _plan_table(plan: Plan) -> pa.Table:
    suite = {"suite": plan.suite.name, "suite_version": plan.suite.version}
    return store.table(
        "plans",
        ({**suite, "key": r.key} for network in plan.networks for r in network.readings),
    )


def _statuses(results: Path) -> dict[str, str]:
    if not results.is_dir():
        return {}
    rows, _, _ = (
        read(results) for read in (store.read_results, store.read_networks, store.read_plans)
    )
    return dict(zip(rows["key"].to_pylist(), rows["status"].to_pylist(), strict=True))


def _summary(plan: Plan, results: Path) -> Summary:
    statuses = _statuses(results)
    found = [statuses.get(reading.key) for network in plan.networks for reading in network.readings]
    ids = {network.network_id for network in plan.networks}
    networks = store.read_networks(results).to_pylist() if results.is_dir() else []
    return Summary(
        results=results,
        planned=plan.reading_count,
        ok=found.count("ok"),
        skipped=found.count("skipped"),
        failed=found.count("failed"),
        networks=len(plan.networks),
        not_memorized=sum(
            row["memorized"] is False for row in networks if row["network_id"] in ids
        ),
        missing_data=dict(plan.skipped),
    )
