"""A Dask cluster gives the same readings, whatever becomes of its workers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import psutil
import pytest
from distributed import Client

import memgen_bench
from helpers import small_run
from helpers.forked_commands import dask_worker
from helpers.forking import forked
from helpers.once import made_once
from helpers.pages import DOCS, example
from helpers.small_run import THREE_RATES
from memgen_bench import UsageError
from memgen_bench.running.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

TIMES = ["fit_seconds", "predict_seconds", "created"]


def run(folder: Path, engine: str, **options: Any) -> memgen_bench.Summary:
    return memgen_bench.run(
        THREE_RATES,
        results=folder / "results",
        cache_dir=folder / "cache",
        engine=engine,
        **options,
    )


def content(folder: Path) -> pl.DataFrame:
    rows = pl.from_arrow(memgen_bench.read_results(folder / "results"))
    assert isinstance(rows, pl.DataFrame)
    return rows.drop(TIMES).sort("key")


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return content(made_once(tmp_path_factory, "three-rates", small_run.run))


class Cluster:
    """A scheduler and workers, each a process of its own with a folder of its own."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.folder, self.workers = folder, dict[str, psutil.Process]()
        place = folder / "scheduler.json"
        self.scheduler = self._start(
            [], "scheduler", "--host", host, "--scheduler-file", str(place), "--no-dashboard"
        )
        while not place.exists():
            time.sleep(0.1)
        self.address = json.loads(place.read_text())["address"]

    def add(self, name: str, prefix: tuple[str, ...] = ()) -> None:
        """Start a worker that has nothing but the connection."""
        here = self.folder / name
        own = {"MEMGEN_CACHE": str(here / "cache"), "MEMGEN_DATA": str(here / "data")}
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name]
        options += ["--local-directory", str(here)]
        if prefix:
            self.workers[name] = self._start(prefix, "worker", self.address, *options, **own)
        else:
            words = (self.address, *options)
            worker = forked(dask_worker, self.folder / "worker.log", own, *words)
            self.workers[name] = psutil.Process(worker.pid)

    def _start(self, prefix: Any, what: str, *options: str, **env: str) -> psutil.Process:
        program = [sys.executable, "-m", f"distributed.cli.dask_{what}"]
        with (self.folder / f"{what}.log").open("ab") as log:
            return psutil.Popen(
                [*prefix, *program, *options], stdout=log, stderr=log, env=os.environ | env
            )

    def end(self, process: psutil.Process) -> None:
        """Kill a process and all that it started, without warning."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in (process, *process.children(recursive=True)):
                one.kill()
        process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    for process in (*made.workers.values(), made.scheduler):
        made.end(process)


class KillAfter(Observer):
    """Kills a worker once the first readings are there."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name, self.killed = cluster, name, False

    def stored(self, network: Any, readings: Any, done: bool) -> None:
        if not self.killed:
            self.killed = True
            self.cluster.end(self.cluster.workers[self.name])


def test_a_local_cluster_gives_the_same(tmp_path: Path, serial: pl.DataFrame) -> None:
    assert run(tmp_path, "dask", jobs=2).failed == 0
    assert content(tmp_path).equals(serial)
    assert len(list((tmp_path / "cache" / "networks").glob("*.safetensors"))) == 3


def test_a_lost_worker_costs_nothing(
    cluster: Cluster, tmp_path: Path, serial: pl.DataFrame
) -> None:
    for name in ("one", "two"):
        cluster.add(name)
    watch = KillAfter(cluster, "one")
    summary = run(tmp_path, "dask", scheduler=cluster.address, observer=watch)
    assert watch.killed
    assert summary.ok == summary.planned
    assert content(tmp_path).equals(serial)
    trained = {path.name for path in (tmp_path / "cache" / "networks").glob("*.safetensors")}
    assert len(trained) == 3  # they came back to the runner
    again = run(tmp_path, "dask", scheduler=cluster.address, decoders=["ncm", "lda"])
    assert again.ok == again.planned  # and need not be trained for a new decoder


def with_another_plugin(tmp_path: Path, cluster: Cluster) -> memgen_bench.Summary:
    """Run with a plugin file as if the runner's were another than the worker's."""
    from memgen_plugins.engines import dask_cluster

    plugin = tmp_path / "plugin.py"
    source = "from memgen_bench import hookimpl\n@hookimpl\ndef register_noises():\n    return []\n"
    plugin.write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dask_cluster, "file_digest", lambda path: "another")
        return run(tmp_path, "dask", scheduler=cluster.address, plugins=[plugin])


def test_a_worker_without_the_plugin_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add("one")
    with Client(cluster.address) as client:  # type: ignore[no-untyped-call]
        client.wait_for_workers(1)
    with pytest.raises(UsageError, match=r"Dask worker tcp://.* has .*plugin\.py .*another"):
        with_another_plugin(tmp_path, cluster)


def test_a_worker_that_joins_later_without_the_plugin_stops_the_run_and_spoils_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    # a program of its own, so that it has the true digest
    joining = threading.Timer(2, cluster.add, ("one", ("env",)))
    joining.start()
    with pytest.raises(UsageError, match=r"Dask worker tcp://.* has .*plugin\.py .*another"):
        with_another_plugin(tmp_path, cluster)
    assert not list((tmp_path / "results" / "readings").glob("*.parquet"))


def test_no_scheduler_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from memgen_plugins.engines import dask_cluster

    monkeypatch.setattr(dask_cluster, "_PATIENCE", "1s")
    with pytest.raises(UsageError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:1 "):
        run(tmp_path, "dask", scheduler="tcp://127.0.0.1:1")


@pytest.fixture
def namespace() -> Iterator[str]:
    """A network namespace that is linked to this one by 10.123.45.1 - 10.123.45.2."""
    name = f"memgen{os.getpid()}"
    outer, inner = f"{name[:10]}a", f"{name[:10]}b"
    commands = [
        f"ip netns add {name}",
        f"ip link add {outer} type veth peer name {inner} netns {name}",
        f"ip addr add 10.123.45.1/24 dev {outer}",
        f"ip link set {outer} up",
        f"ip -n {name} addr add 10.123.45.2/24 dev {inner}",
        f"ip -n {name} link set {inner} up",
        f"ip -n {name} link set lo up",
    ]
    if not shutil.which("ip"):
        pytest.skip("there is no ip command here")
    try:
        for each in commands:
            done = subprocess.run(each.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no network namespaces here: {done.stderr.strip()}")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


class CutAfter(Observer):
    """Cuts the link to a namespace for some seconds once the first readings are there."""

    def __init__(self, namespace: str) -> None:
        self.namespace, self.cut = namespace, False

    def stored(self, network: Any, readings: Any, done: bool) -> None:
        if not self.cut:
            self.cut = True
            link = f"{self.namespace[:10]}b"
            for state, seconds in (("down", 8), ("up", 0)):
                subprocess.run(["ip", "-n", self.namespace, "link", "set", link, state], check=True)
                time.sleep(seconds)


def test_a_link_that_is_cut_and_restored_costs_nothing(
    namespace: str, tmp_path: Path, serial: pl.DataFrame
) -> None:
    cluster = Cluster(tmp_path, host="10.123.45.1")
    try:
        cluster.add("far", prefix=("ip", "netns", "exec", namespace))
        watch = CutAfter(namespace)
        summary = run(tmp_path, "dask", scheduler=cluster.address, observer=watch)
        assert watch.cut
        assert summary.ok == summary.planned
        assert content(tmp_path).equals(serial)
    finally:
        for process in (*cluster.workers.values(), cluster.scheduler):
            cluster.end(process)


BATCH = """#!/bin/sh
nohup sh "$1" > /dev/null 2>&1 &
echo "Submitted batch job $!"
"""


def test_the_slurm_example_runs(tmp_path: Path) -> None:
    """As documented, but for few decoders, with a stand-in for SLURM that starts a job at once."""
    text = example(DOCS / "how-to" / "cluster.md", "slurm")
    few = text.replace('"smoke", ', '"smoke", decoders=["ncm", "masc"], ')
    assert few != text
    (tmp_path / "example.py").write_text(few)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in (("sbatch", BATCH), ("scancel", '#!/bin/sh\nkill "$@"\n')):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env=os.environ
        | {"PATH": f"{tools}:{os.environ['PATH']}", "MEMGEN_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    told = re.fullmatch(r"(\d+) of (\d+) readings\n", done.stdout)
    assert told, done.stderr
    ok, planned = map(int, told.groups())
    assert ok == planned > 0
