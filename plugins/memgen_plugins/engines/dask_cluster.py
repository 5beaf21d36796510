"""An engine on a Dask cluster, whose workers share nothing with the runner but the connection."""

from __future__ import annotations

import os
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from distributed import Client, LocalCluster, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from memgen_bench import UsageError, load_registry
from memgen_bench.toolkit.engines import (
    Children,
    Row,
    RunSettings,
    code_commit,
    file_digest,
    network_dir,
    network_entry,
    one_line,
    table,
    versions,
    write_atomically,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from memgen_bench import Report
    from memgen_bench.toolkit.engines import InChild, PlannedNetwork

    Files = Mapping[str, bytes]
    Answer = tuple[dict[str, pa.Table], Files]

_PATIENCE = "20s"  # for a scheduler to answer


class DaskEngine:
    """Runs networks on Dask workers, each in a child process of its worker.

    A worker uses its own `MEMGEN_DATA` and `MEMGEN_CACHE` where these are set, and the runner's
    folders otherwise. A network in the runner's cache is sent to the worker, and a newly trained
    one is sent back. Networks on CUDA go to workers with the resource `GPU`, one for each. The
    work of a lost worker is done again by another.

    Args:
        jobs: Workers of a local cluster, where no scheduler is given.
        report: Called with the rows of a network when it is done.
        scheduler: Address of a scheduler, such as `tcp://host:8786`.

    Raises:
        UsageError: There is no scheduler, or its workers have other code, plugins or versions.
    """

    def __init__(self, jobs: int, report: Report, scheduler: str) -> None:
        self._report = report
        self._cluster = None if scheduler else LocalCluster(n_workers=jobs, threads_per_worker=1)
        try:
            self._client = Client(scheduler or self._cluster, timeout=_PATIENCE)
        except OSError as error:
            raise UsageError(f"no Dask scheduler at {scheduler} ({one_line(error)})") from error
        self._children = f"memgen-bench children {uuid4().hex}"
        self._running: dict[Any, Future[None]] = {}
        self._checked = False

    @property
    def slots(self) -> int:
        """Return the number of the workers' threads, or 1 while there are no workers."""
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def submit(
        self,
        function: Callable[..., Any],
        network: PlannedNetwork,
        keys: frozenset[str],
        settings: RunSettings,
    ) -> Future[None]:
        """Start a network's readings on the next free worker."""
        self._check(settings.plugin_files)
        own: Future[None] = Future()
        theirs = self._client.submit(
            _compute,
            self._children,
            function,
            network,
            keys,
            settings,
            _files(settings.network_dir, network.network_id),
            pure=False,
            resources={"GPU": 1} if settings.device.startswith("cuda") else None,
        )
        self._running[theirs] = own
        theirs.add_done_callback(lambda done: self._finish(done, own, settings.network_dir))
        return own

    def _finish(self, done: Any, own: Future[None], network_dir: Path) -> None:
        """Pass on a worker's answer; called in a thread of the client."""
        self._running.pop(done, None)
        try:
            tables, files = done.result()
            _keep(network_dir, files)
            for name, rows in tables.items():
                for row in rows.to_pylist():
                    self._report(Row(name, row))
            own.set_result(None)
        except BaseException as error:
            own.set_exception(error)

    def _check(self, plugin_files: tuple[str, ...]) -> None:
        """Refuse workers with other code, plugins or versions; later ones when they get work."""
        if self._checked:
            return
        try:
            self._client.register_plugin(_SameCode(about(plugin_files), plugin_files))
            self._client.register_plugin(_WorkerChildren(), name=self._children)
        except Exception as error:
            raise UsageError(one_line(str(error))) from error
        self._checked = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            self._client.cancel(list(self._running), force=True)
        if self._checked:
            self._client.unregister_worker_plugin(self._children)
        self._client.close()
        if self._cluster:
            self._cluster.close()


class _SameCode(WorkerPlugin):
    """A Dask plugin that refuses workers with other code, plugins or versions than the runner."""

    name = "memgen-bench"

    def __init__(self, expected: dict[str, str], plugin_files: tuple[str, ...]) -> None:
        self._expected, self._files = expected, plugin_files

    def setup(self, worker: Any) -> None:
        """Compare code, plugins and versions when the run or the worker starts."""
        self.fault = ""
        found = about(self._files)
        for name, value in self._expected.items():
            if found.get(name) != value:
                self.fault = (
                    f"Dask worker {worker.address} has {name} {found.get(name)}, the runner "
                    f"{value}; install the same there"
                )
                raise RuntimeError(self.fault)


class _WorkerChildren(WorkerPlugin):
    """Gives each worker, for one run, children that persist from one network to the next."""

    def setup(self, worker: Any) -> None:
        """Make them, as the run or the worker starts; their processes come when there is work."""
        self.children = Children()

    def teardown(self, worker: Any) -> None:
        """End them, as the run or the worker ends: none is at work, unless the run was stopped."""
        self.children.stop()


def about(plugin_files: tuple[str, ...]) -> dict[str, str]:
    """Return versions, commit, plugins and plugin files, which must be equal on all machines."""
    plugins = {plugin.name: plugin.release for plugin in load_registry().plugins}
    files = {file: file_digest(Path(file)) for file in plugin_files}
    return {**versions(), "commit": str(code_commit()), **plugins, **files}


def _compute(
    children: str,
    function: InChild,
    network: PlannedNetwork,
    keys: frozenset[str],
    settings: RunSettings,
    files: Files,
) -> Answer:
    """Compute a network's readings in children of a worker's plugin; rows return as Arrow."""
    plugins: Any = get_worker().plugins
    if plugins[_SameCode.name].fault:  # of a worker that joined later: Dask keeps it
        raise UsageError(plugins[_SameCode.name].fault)
    settings = _at_home(settings)
    _keep(settings.network_dir, files)
    rows: dict[str, list[dict[str, Any]]] = {"networks": [], "readings": []}

    def keep(message: Any) -> None:
        if isinstance(message, Row):
            rows[message.table].append(message.columns)

    function.with_children(plugins[children].children)(network, keys, settings, keep)
    tables = {name: table(name, found) for name, found in rows.items()}
    trained = _files(settings.network_dir, network.network_id)
    return tables, {name: content for name, content in trained.items() if name not in files}


def _at_home(settings: RunSettings) -> RunSettings:
    """Return the settings with this worker's own folders."""
    data, cache = (os.environ.get(name) for name in ("MEMGEN_DATA", "MEMGEN_CACHE"))
    return replace(
        settings,
        data_dir=Path(data) if data else settings.data_dir,
        network_dir=network_dir(Path(cache)) if cache else settings.network_dir,
    )


def _files(folder: Path, network_id: str) -> Files:
    """Return the files of a trained network that exist, by name."""
    files = network_entry(folder, network_id).there
    return {path.name: path.read_bytes() for path in files}


def _keep(folder: Path, files: Files) -> None:
    """Write missing files; a network's record comes last, as it marks the network complete."""
    for name in sorted(files, key=lambda name: name.endswith(".json")):
        if not (folder / name).exists():
            write_atomically(folder / name, files[name])
