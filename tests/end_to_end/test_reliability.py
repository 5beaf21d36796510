"""Whatever happens to a run: no finished work is lost, no row is wrong, the next one goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import memgen_bench
from helpers.forking import forked
from helpers.once import made_once
from helpers.small_run import (
    SUITE,
    THREE_RATES,
    run,
    run_by_children,
    run_by_children_with_resume_files,
    run_with_resume_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from memgen_bench.plan.suite import Kind

TIMES = ["fit_seconds", "predict_seconds", "created"]
FAULTS = """
import os, resource, time
import numpy as np
import torch
from torch import nn
from memgen_bench import Data, DatasetSpec, DecoderSpec, ModelSpec, Recipe, hookimpl

def bomb():
    limit = 1 << 20  # room to fail in, below what is in use
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        return np.ones(1 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)

def happen(fault):
    if fault == "raise":
        raise RuntimeError("a fault")
    if fault == "hang":
        time.sleep(3600)
    if fault == "exit":
        os._exit(5)
    if fault == "kill":
        os.kill(os.getpid(), 9)
    if fault == "memory":
        bomb()

class Faulty:
    def __init__(self, fault="none"):
        self.fault = fault
    def fit(self, X, y):
        self.label = int(y[0])
        if os.environ["FAULT_WHERE"] == "fit":
            happen(self.fault)
        return self
    def predict(self, X):
        if os.environ["FAULT_WHERE"] == "predict":
            happen(self.fault)
        if self.fault == "nan":
            return np.full(len(X), np.nan)
        if self.fault == "shape":
            return np.zeros((len(X), 2))
        return np.full(len(X), self.label)

class Net(nn.Module):
    def __init__(self, fault):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
        self.fault = fault
    def forward(self, x):
        if self.training:
            happen(self.fault)
        return self.body(x) * (float("nan") if self.fault == "nan" and self.training else 1)

def load(fault, folder):
    mark = folder / f"{fault}-was-described"
    if mark.exists():  # the plan could read it; now it turns out to be broken
        happen(fault)
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 1, 8, 8)).astype(np.float32)
    if fault == "nan" and mark.stat().st_size:
        x[0] = np.nan
    mark.write_text("seen")
    y = np.arange(200) % 10
    return Data(train_x=x[60:], train_y=y[60:], test_x=x[:60], test_y=y[:60])

EVERY = ("none", "raise", "hang", "exit", "kill", "memory", "nan", "shape")

@hookimpl
def register_decoders():
    return [
        DecoderSpec(name=f"bad-{f}", summary="s", build=lambda f=f: Faulty(f)) for f in EVERY
    ]

@hookimpl
def register_models():
    fields = {"summary": "s", "recipe": Recipe(max_epochs=2), "layers": ("body.1",)}
    return [
        ModelSpec(name=f"net-{f}", build=lambda task, f=f: Net(f), **fields) for f in EVERY
    ]

@hookimpl
def register_datasets():
    return [
        DatasetSpec(name=f"data-{f}", summary="s", load=lambda folder, f=f: load(f, folder))
        for f in EVERY
    ]
"""
FAULTS_OF_EACH = ("none", "raise", "hang", "exit", "kill", "memory", "nan", "shape")


def rows_of(results: Path) -> pl.DataFrame:
    rows = pl.from_arrow(memgen_bench.read_results(results))
    assert isinstance(rows, pl.DataFrame)
    return rows


def content(results: Path) -> pl.DataFrame:
    return rows_of(results).drop(TIMES).sort("key")


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plugin = tmp_path_factory.mktemp("faults") / "faults.py"
    plugin.write_text(FAULTS)
    return plugin


def check_that_every_key_has_one_row(summary: memgen_bench.Summary, results: Path) -> None:
    rows = rows_of(results)
    assert rows["key"].is_unique().all()
    assert rows.height == summary.planned == summary.ok + summary.skipped + summary.failed
    failed = rows.filter(pl.col("status") == "failed")
    assert failed["error_type"].null_count() == failed["message"].null_count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("where", ["fit", "predict"])
def test_each_fault_of_a_decoder_costs_its_own_readings_alone(
    where: str, faults: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT_WHERE", where)
    bad = ["hang", "exit", "memory", "nan"]
    decoders = ["ncm", *(f"bad-{fault}" for fault in bad)]
    summary = memgen_bench.run(
        SUITE,
        models=["net-none"],
        decoders=decoders,
        kinds=["untrained"],
        labels=["corrupted"],
        rates=[0.4],
        results=tmp_path / "results",
        cache_dir=tmp_path,
        plugins=[faults],
        timeout=6,
        jobs=2,
    )
    check_that_every_key_has_one_row(summary, tmp_path / "results")
    rows = rows_of(tmp_path / "results")
    types = dict(rows.group_by("decoder").agg(pl.col("error_type").unique().first()).iter_rows())
    assert types.pop("ncm") is types.pop("readout") is None
    expected = {"hang": "timeout", "exit": "crash", "memory": "oom", "nan": "nan"}
    assert types == {f"bad-{fault}": expected[fault] for fault in bad}


@pytest.mark.slow
@settings(
    max_examples=6,
    phases=[Phase.generate],  # to shrink an example would take minutes
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    decoder=st.sampled_from(FAULTS_OF_EACH),
    where=st.sampled_from(["fit", "predict"]),
    model=st.sampled_from(FAULTS_OF_EACH[:-1]),
    kind=st.sampled_from(["memorized", "untrained"]),
    data=st.sampled_from(FAULTS_OF_EACH[:-1]),
    jobs=st.sampled_from([1, 2]),
)
def test_whatever_fails_every_planned_key_ends_with_one_row(
    decoder: str,
    where: str,
    model: str,
    kind: Kind,
    data: str,
    jobs: int,
    faults: Path,
    tmp_path_factory: Any,
) -> None:
    folder = tmp_path_factory.mktemp("faulty")
    os.environ["FAULT_WHERE"] = where
    summary = memgen_bench.run(
        SUITE.model_copy(update={"train_size": 60}),
        decoders=["ncm", f"bad-{decoder}"],
        models=[f"net-{model}", "net-none"],
        datasets=[f"data-{data}", "digits"],
        rates=[0.4],
        kinds=[kind],
        labels=["corrupted"],
        results=folder / "results",
        cache_dir=folder,
        data_dir=folder / "data",
        plugins=[faults],
        timeout=8 if "hang" in (decoder, model, data) else 60,
        jobs=jobs,
    )
    check_that_every_key_has_one_row(summary, folder / "results")
    fine = rows_of(folder / "results").filter(
        pl.col("decoder") == "ncm", pl.col("model") == "net-none", pl.col("dataset") == "digits"
    )
    assert set(fine["status"]) == {"ok"}


def command(folder: Path, *options: str) -> list[str]:
    """Return the command line of the same run, by children."""
    suite = folder / "suite.toml"
    fields = THREE_RATES.model_dump(mode="json", exclude_defaults=True)
    suite.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in fields.items()))
    return [
        *(sys.executable, "-m", "memgen_bench.cli", "run", "--suite", str(suite), "--all"),
        *("--cache-dir", str(folder / "cache"), "--results", str(folder / "results"), *options),
    ]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return content(made_once(tmp_path_factory, "three-rates", run) / "results")


def go_on_to_the_end(folder: Path, uninterrupted: pl.DataFrame) -> None:
    run(folder)
    assert content(folder / "results").equals(uninterrupted)
    assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == []


def runs(process: subprocess.Popen[Any] | BaseProcess) -> bool:
    return (process.poll() if isinstance(process, subprocess.Popen) else process.exitcode) is None


def kill_tree(process: subprocess.Popen[Any] | BaseProcess) -> None:
    root = psutil.Process(process.pid)
    for one in (root, *root.children(recursive=True)):
        one.kill()


def killed_at_work(
    process: subprocess.Popen[Any] | BaseProcess, folder: Path, delay: float
) -> bool:
    """Kill a run and its children soon after it has begun to write a file."""
    files = set(folder.rglob("*"))
    while runs(process) and set(folder.rglob("*")) == files:
        time.sleep(0.03)
    time.sleep(delay)
    if not runs(process):
        return False
    kill_tree(process)
    return True


@pytest.mark.slow
def test_twenty_kills_cost_nothing(tmp_path: Path, uninterrupted: pl.DataFrame) -> None:
    """The first life is a program with children of its own; of the others most have none."""
    rng, kills = random.Random(0), 0
    for life in range(20):
        delay = rng.choice([0, 0, 0.05, 0.2])
        if life == 0:
            with subprocess.Popen(
                command(tmp_path, "--resume-minutes", "0"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as tree:
                kills += killed_at_work(tree, tmp_path, delay)
        else:
            by_children = run_by_children_with_resume_files
            life_of = by_children if life % 7 == 0 else run_with_resume_files
            process = forked(life_of, tmp_path)
            kills += killed_at_work(process, tmp_path, delay)
            process.join()
    assert kills > 10
    go_on_to_the_end(tmp_path, uninterrupted)


def check_that_nothing_was_done_twice(results: Path) -> None:
    networks = pl.concat(map(pl.read_parquet, (results / "networks").glob("*.parquet")))
    assert networks["network_id"].is_unique().all()
    readings = pl.concat(map(pl.read_parquet, (results / "readings").glob("*.parquet")))
    assert readings["key"].is_unique().all()


@pytest.mark.slow
@pytest.mark.parametrize(("how", "count"), [(run_by_children, 2), (run, 4)])
def test_runs_on_one_folder_share_the_work(
    how: Callable[[Path], None], count: int, tmp_path: Path, uninterrupted: pl.DataFrame
) -> None:
    processes = [forked(how, tmp_path) for _ in range(count)]
    for process in processes:
        process.join()
    assert {process.exitcode for process in processes} == {0}
    assert content(tmp_path / "results").equals(uninterrupted)
    check_that_nothing_was_done_twice(tmp_path / "results")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_stop_stores_what_is_finished(
    how: signal.Signals, tmp_path: Path, uninterrupted: pl.DataFrame
) -> None:
    with subprocess.Popen(
        command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while not list(tmp_path.glob("results/networks/*.parquet")):
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.1)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"the same command goes on from here" in errors
    assert b"Traceback" not in errors
    go_on_to_the_end(tmp_path, uninterrupted)


def test_failures_are_done_again_when_asked_for_and_fresh_does_all_again(tmp_path: Path) -> None:
    plugin = tmp_path / "moody.py"
    plugin.write_text(
        "import os, numpy as np\n"
        "from memgen_bench import DecoderSpec, hookimpl\n"
        "class Moody:\n"
        "    def fit(self, X, y):\n"
        "        if os.environ.get('MOOD') == 'bad':\n"
        "            raise RuntimeError('not today')\n"
        "        return self\n"
        "    def predict(self, X):\n"
        "        return np.zeros(len(X), int)\n"
        "@hookimpl\n"
        "def register_decoders():\n"
        "    return [DecoderSpec(name='moody', summary='s', build=Moody)]\n"
    )
    options: dict[str, Any] = {
        "decoders": ["moody"],
        "kinds": ["untrained"],
        "results": tmp_path / "results",
        "cache_dir": tmp_path,
        "plugins": [plugin],
        "engine": "serial",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOOD", "bad")
        first = memgen_bench.run(SUITE, **options)
        assert first.failed == first.planned - 1  # the readout is fine
        stopped = memgen_bench.run(
            SUITE, **options | {"results": tmp_path / "other", "fail_fast": True}
        )
        assert stopped.ok + stopped.failed <= stopped.planned
        assert stopped.failed > 0
    assert memgen_bench.run(SUITE, **options).failed == first.failed
    parts = set((tmp_path / "results").rglob("*.parquet"))
    assert memgen_bench.run(SUITE, **options, retry_failed=True).ok == first.planned
    before = rows_of(tmp_path / "results")
    assert parts < set((tmp_path / "results").rglob("*.parquet"))
    assert memgen_bench.run(SUITE, **options, fresh=True).ok == first.planned
    after = rows_of(tmp_path / "results")
    assert after.drop(TIMES).sort("key").equals(before.drop(TIMES).sort("key"))
    assert (after.sort("key")["created"] > before.sort("key")["created"]).all()
