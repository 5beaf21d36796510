"""A run: plan a suite, compute the missing readings, and store rows as soon as they come in."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Unpack

import polars as pl

from memgen_bench.decode.footprint import least_bytes
from memgen_bench.errors import DataNotFoundError, RunStop, UsageError
from memgen_bench.files.atomic import remove_leftovers
from memgen_bench.files.places import DEFAULT_RESULTS, find_places, named_path
from memgen_bench.global_state import preserved
from memgen_bench.messages import RunSettings
from memgen_bench.plan.axes import takes_changes
from memgen_bench.plan.planner import make_plan
from memgen_bench.plan.suite import ALL, Suite, load_suite
from memgen_bench.plugin.registry import load_registry
from memgen_bench.results import shortfalls, store
from memgen_bench.results.snapshot import Snapshot
from memgen_bench.running.execution import Execution
from memgen_bench.running.limits import check_limits
from memgen_bench.running.locks import Locks
from memgen_bench.running.missing import find_missing
from memgen_bench.running.progress import ProgressObserver
from memgen_bench.running.resources import available_memory, usable_cpus
from memgen_bench.running.unstored import UnstoredRows
from memgen_bench.workers.child import Children
from memgen_bench.workers.in_child import InChild
from memgen_bench.workers.questions import Questions, here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from memgen_bench.files.places import Places
    from memgen_bench.plan.axes import Changes
    from memgen_bench.plan.plan import Plan, PlannedNetwork
    from memgen_bench.plugin.registry import Registry
    from memgen_bench.plugin.specs import Engine, EngineSpec
    from memgen_bench.running.observer import Observer

_SHORT = ("failed", "skipped")
DEFAULT_TIMEOUT = 3600.0  # seconds for one step


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of a run, in numbers of rows and networks.

    Attributes:
        results: The results folder.
        planned: Rows of a complete run.
        ok: Planned rows with status `ok`.
        skipped: Planned rows whose decoder does not apply.
        failed: Planned rows that failed.
        networks: Planned networks.
        not_memorized: Trained networks that did not memorize their labels.
        reasons: Lines that say why networks did not memorize and readings failed or were skipped,
            one for each distinct reason: how many, one of them, the mend.
        missing_data: Data sets that were left out, with the reason.
        left_out: The reasons for which data sets, and pairs of a model and a data set that it does
            not take, were left out.
        snapshot: The results as the run left them, for whoever reads on.
    """

    results: Path
    planned: int
    ok: int
    skipped: int
    failed: int
    networks: int
    not_memorized: int
    reasons: tuple[str, ...]
    missing_data: dict[str, str]
    left_out: tuple[str, ...]
    snapshot: Snapshot = field(repr=False, compare=False)


@preserved()
def plan_run(
    suite: Suite,
    registry: Registry,
    places: Places,
    *,
    questions: Questions | None = None,
    device: str = "auto",
    slow: bool = False,
    required_datasets: Iterable[str] = (),
) -> Plan:
    """Plan a suite on the data sets that are on disk.

    Raises:
        UsageError: A name is unknown, or a value is invalid.
        DataNotFoundError: A data set of `required_datasets` is not on disk.
        DataError: A data set is damaged.
    """
    _find_names(suite, registry)  # report typos before questions that take seconds
    questions, data, missing_data = questions or Questions(), {}, {}
    for name in dict.fromkeys(pair.dataset for pair in suite.combinations()):
        try:
            data[name] = questions.describe(name, places.data_dir, places.cache_dir)
        except DataNotFoundError as error:
            if name in required_datasets:
                raise
            missing_data[name] = str(error)
    return make_plan(
        suite,
        registry,
        data,
        find_layers=lambda spec, task, limit: questions.layers(spec.name, task, limit),
        device_type=questions.device_type(device),
        find_parameters=lambda spec: questions.parameters(spec.name),
        slow=slow,
        missing_data=missing_data,
    )


def _find_names(suite: Suite, registry: Registry) -> None:
    for pair in suite.combinations():
        registry.models.find(pair.model)
        registry.datasets.find(pair.dataset)
    for features in suite.features:
        registry.features.find(features)
    for noise in suite.noises:
        registry.noises.find(noise)
    for decoder in suite.decoders if suite.decoders != ALL else ():
        if decoder != ALL and (features := registry.decoders.find(decoder).beside):
            registry.features.find(features)


@takes_changes
def run(
    suite: str | Suite = "core",
    *,
    slow: bool = False,
    results: str | Path = DEFAULT_RESULTS,
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    shared_caches: Sequence[str | Path] = (),
    device: str = "auto",
    engine: str = "processes",
    scheduler: str = "",
    jobs: int | None = None,
    memory: int | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    fresh: bool = False,
    retry_failed: bool = False,
    fail_fast: bool = False,
    resume_minutes: float = 10,
    plugins: Sequence[str | Path] = (),
    observer: Observer | None = None,
    **changes: Unpack[Changes],
) -> Summary:
    """Run a suite: train networks that are not cached, and make readings that are missing.

    Args:
        suite: A suite, its name, or a TOML file.
        slow: Take decoders marked `slow` too.
        results: Folder for the results.
        data_dir: Data root; see `default_data_dir`.
        cache_dir: Folder for trained networks; see `default_cache_dir`.
        shared_caches: Further folders of trained networks, only read.
        device: `auto`, `cpu`, `cuda`, `cuda:1` …
        engine: An engine's name. `serial` runs in this process: it has no time limit, and a crash
            ends the run.
        scheduler: The address that the engine connects to, such as `tcp://host:8786` for `dask`.
        jobs: Networks computed at once; cores divided by the recipes' threads by default.
        memory: Bytes of memory for activations and moments; beyond it they lie in memory-mapped
            files. Half of the free memory by default. It changes no result.
        timeout: Most seconds of one step: an epoch, a pass over a network's layers, or a reading.
            A longer one becomes a failed row. None: no limit.
        fresh: Whether to train and compute everything again.
        retry_failed: Whether to compute failed readings again.
        fail_fast: Whether to stop at the first reading that fails.
        resume_minutes: Minutes between two writes of a training's resume file.
        plugins: Plugin files that are not installed.
        observer: Is told how the run goes on. By default a `ProgressObserver`, which shows it on
            standard error; `Observer()` is silent.
        **changes: Axes and sizes that replace the suite's, `models` … `max_layer_dim`; see
            `memgen_bench.plan.axes`. None keeps the suite's.

    Returns:
        The numbers of planned, finished and failed rows.

    Raises:
        MemgenError: What was asked for cannot be done; the message says why.

    Examples:
        >>> import memgen_bench
        >>> summary = memgen_bench.run(
        ...     "smoke",
        ...     kinds=["untrained"],
        ...     decoders=["ncm"],
        ...     results="my-results",
        ...     engine="serial",
        ... )
        >>> summary.ok == summary.planned
        True
    """
    check_limits(jobs=jobs, memory=memory, timeout=timeout, resume_minutes=resume_minutes)
    suite = (load_suite(suite) if isinstance(suite, str) else suite).replace(changes)
    device = str(device)  # torch's own devices, too
    places = find_places(data_dir, cache_dir, shared_caches).resolved()
    files = tuple(str(named_path(file).resolve()) for file in plugins)
    registry = load_registry(plugins)
    engine_spec, folders = registry.engines.find(engine), places.network_folders()
    with observer or ProgressObserver() as told, Children() as children:
        for problem in registry.problems:
            told.problem(problem)
        ask = here if engine_spec.in_process else partial(children.call, timeout=timeout)
        plan = plan_run(
            suite,
            registry,
            places,
            questions=Questions(ask, files),
            device=device,
            slow=slow,
            required_datasets=changes.get("datasets") or (),
        )
        settings = RunSettings(
            plugin_files=files,
            data_dir=places.data_dir,
            network_dir=folders[0],
            shared_caches=folders[1:],
            resume_minutes=resume_minutes,
            device=device,
            timeout=timeout,
            fresh=fresh,
        )
        run = _Run(plan, settings, named_path(results), told, children, fail_fast=fail_fast)
        return run.go(engine_spec, scheduler, jobs, memory, retry_failed=retry_failed)


class _Run:
    """The run of one plan."""

    def __init__(
        self,
        plan: Plan,
        settings: RunSettings,
        results: Path,
        observer: Observer,
        children: Children,
        *,
        fail_fast: bool,
    ) -> None:
        self._plan, self._settings, self._results = plan, settings, results
        self._observer, self._children, self._fail_fast = observer, children, fail_fast

    def go(
        self,
        engine: EngineSpec,
        scheduler: str,
        jobs: int | None,
        memory: int | None,
        *,
        retry_failed: bool,
    ) -> Summary:
        """Compute the readings that the results lack, store them, and say how it ended."""
        snapshot = Snapshot(self._results)
        missing_work = find_missing(
            self._plan,
            snapshot,
            (self._settings.network_dir, *self._settings.shared_caches),
            fresh=self._settings.fresh,
            retry_failed=retry_failed,
        )
        for text in (*self._plan.notices, *missing_work.notices):
            self._observer.notice(text)
        networks = [network for network, _ in missing_work.networks.values()]
        jobs = _jobs(jobs, networks)
        memory = (memory or available_memory() // 2) // jobs
        _check_memory(memory, networks)
        for folder in (self._results, self._settings.network_dir):
            remove_leftovers(folder)
        with Locks(self._results) as locks:
            store.write_part(self._results, "plans", self._plan.suite.name, _plan_table(self._plan))
            self._observer.planned(self._plan, missing_work)
            execution = Execution(
                missing_work.networks,
                self._function(engine),
                replace(self._settings, memory=memory),
                snapshot,
                locks,
                UnstoredRows(self._observer.epoch),
                self._stored,
            )
            with contextlib.suppress(_FirstFailure):
                try:
                    with engine.open(jobs, execution.report, scheduler) as running:
                        self._compute(execution, running)
                finally:
                    execution.store_rest()
        snapshot.refresh()
        return _summary(self._plan, snapshot)

    def _function(self, engine: EngineSpec) -> Callable[..., None]:
        """Return the function that computes a network on this engine."""
        if engine.in_process:
            from memgen_bench.workers.network_rows import run_network

            return run_network
        return InChild(self._children)

    def _compute(self, execution: Execution, engine: Engine) -> None:
        try:
            execution.run(engine)
        except BaseException:
            self._children.stop()  # before the engine ends: its threads wait for them
            raise

    def _stored(self, network: PlannedNetwork, readings: pa.Table | None, done: bool) -> None:
        self._observer.stored(network, readings, done)
        if self._fail_fast and readings is not None and "failed" in readings["status"].to_pylist():
            self._fail_fast = False  # what else is there is stored without stopping again
            raise _FirstFailure


class _FirstFailure(RunStop):
    """A reading failed, and the run is to stop there."""


def _jobs(asked: int | None, networks: Sequence[PlannedNetwork]) -> int:
    """Return the number of networks computed at once, on which no result depends."""
    threads = max((network.recipe.threads for network in networks), default=1)
    return max(1, min(asked or usable_cpus() // threads, len(networks)))


def _check_memory(memory: int, networks: Sequence[PlannedNetwork]) -> None:
    """Refuse a memory budget that is too small for the class moments of a layer."""
    for network in networks:
        for layer in network.layers:
            least = least_bytes(network.train_size, layer.dim, network.data.task.num_classes)
            if least > memory:
                raise UsageError(
                    f"{memory / 2**20:.0f} MiB of memory for each network computed at once are too "
                    f"few: the class moments of layer {layer.name!r} of {network.label} take "
                    f"{least / 2**20:.0f} MiB; raise --memory, or lower --jobs or --max-layer-dim"
                )


def _plan_table(plan: Plan) -> pa.Table:
    suite = {"suite": plan.suite.name, "suite_version": plan.suite.version}
    return store.table(
        "plans",
        ({**suite, "key": r.key} for network in plan.networks for r in network.readings),
    )


def _rows(snapshot: Snapshot, keys: set[str]) -> pl.DataFrame:
    rows = store.read_frame(snapshot, "readings", shortfalls.READING_COLUMNS)
    return rows.filter(pl.col("key").is_in(keys))


def _summary(plan: Plan, snapshot: Snapshot) -> Summary:
    keys = [reading.key for network in plan.networks for reading in network.readings]
    statuses = dict(store.read_frame(snapshot, "readings", ["key", "status"]).iter_rows())
    found = [statuses.get(key) for key in keys]
    short = {key for key, status in zip(keys, found, strict=True) if status in _SHORT}
    why = shortfalls.why_not_read(_rows(snapshot, short)) if short else []
    ids = [network.network_id for network in plan.networks]
    networks = store.read_frame(snapshot, "networks", shortfalls.NETWORK_COLUMNS)
    lost = networks.filter(pl.col("network_id").is_in(ids), ~pl.col("memorized"))
    unmemorized = [f"did not memorize: {line}" for line in shortfalls.why_unmemorized(lost)]
    return Summary(
        results=snapshot.folder,
        planned=plan.reading_count,
        ok=found.count("ok"),
        skipped=found.count("skipped"),
        failed=found.count("failed"),
        networks=len(plan.networks),
        not_memorized=lost.height,
        reasons=(*why, *unmemorized),
        missing_data=dict(plan.missing_data),
        left_out=plan.left_out,
        snapshot=snapshot,
    )
