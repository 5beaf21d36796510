"""Whatever happens to a run: no finished work is lost, no row is wrong, the next one goes on."""

from __future__ import annotations

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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import memgen_bench
from memgen_bench.plan.suite import Suite

if TYPE_CHECKING:
    from pathlib import Path

TIMES = ["fit_seconds", "predict_seconds", "created"]
SUITE = Suite.model_validate(
    {
        "name": "tiny",
        "version": 1,
        "models": ["mlp"],
        "datasets": ["digits"],
        "rates": [0.0, 0.4],
        "decoders": ["masc", "ncm"],
        "train_size": 120,
        "test_size": 60,
        "validation_fraction": 0.25,
        "max_layer_dim": 32,
    }
)
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
    recipe = Recipe(max_epochs=2)
    return [
        ModelSpec(name=f"net-{f}", summary="s", build=lambda task, f=f: Net(f), recipe=recipe)
        for f in EVERY
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
        timeout=3,
        jobs=1,
    )
    check_that_every_key_has_one_row(summary, tmp_path / "results")
    rows = rows_of(tmp_path / "results")
    types = dict(rows.group_by("decoder").agg(pl.col("error_type").unique().first()).iter_rows())
    assert types.pop("ncm") is types.pop("readout") is None
    expected = {"hang": "timeout", "exit": "crash", "memory": "oom", "nan": "nan"}
    assert types == {f"bad-{fault}": expected[fault] for fault in bad}


@pytest.mark.slow
@settings(
    max_examples=1,  # each takes up to a minute; six are to come back with a cheaper run
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    decoder=st.sampled_from(FAULTS_OF_EACH),
    where=st.sampled_from(["fit", "predict"]),
    model=st.sampled_from(FAULTS_OF_EACH[:-1]),
    data=st.sampled_from(FAULTS_OF_EACH[:-1]),
    jobs=st.sampled_from([1, 2]),
)
def test_whatever_fails_every_planned_key_ends_with_one_row(
    decoder: str, where: str, model: str, data: str, jobs: int, faults: Path, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("faulty")
    os.environ["FAULT_WHERE"] = where
    summary = memgen_bench.run(
        SUITE.model_copy(update={"train_size": 60}),
        decoders=["ncm", f"bad-{decoder}"],
        models=[f"net-{model}", "net-none"],
        datasets=[f"data-{data}", "digits"],
        rates=[0.4],
        kinds=["memorized", "untrained"],
        labels=["corrupted"],
        results=folder / "results",
        cache_dir=folder,
        data_dir=folder / "data",
        plugins=[faults],
        timeout=8,
        jobs=jobs,
    )
    check_that_every_key_has_one_row(summary, folder / "results")
    fine = rows_of(folder / "results").filter(
        pl.col("decoder") == "ncm", pl.col("model") == "net-none", pl.col("dataset") == "digits"
    )
    assert set(fine["status"]) == {"ok"}


def command(folder: Path, *options: str) -> list[str]:
    suite = folder / "suite.toml"
    if not suite.exists():
        fields = SUITE.model_dump(include={"name", "version", "train_size", "test_size"})
        lines = [f"{key} = {value!r}" for key, value in fields.items()]
        lines += ['models = ["mlp"]', 'datasets = ["digits"]', "rates = [0.0, 0.4, 0.8]"]
        lines += ['decoders = ["masc", "ncm"]', "validation_fraction = 0.25", "max_layer_dim = 32"]
        suite.write_text("\n".join(lines))
    return [
        *(sys.executable, "-m", "memgen_bench.cli", "run", "--suite", str(suite), "--all"),
        *("--cache-dir", str(folder / "cache"), "--results", str(folder / "results"), *options),
    ]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run(command(folder, "--jobs", "2"), check=True, capture_output=True)
    return content(folder / "results")


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name.endswith(".tmp")]


def kill_tree(process: subprocess.Popen[Any]) -> None:
    root = psutil.Process(process.pid)
    for one in (root, *root.children(recursive=True)):
        one.kill()
    process.wait()


@pytest.mark.slow
def test_twenty_kills_of_the_whole_tree_cost_nothing(
    tmp_path: Path, uninterrupted: pl.DataFrame
) -> None:
    rng = random.Random(0)
    for _ in range(20):
        with subprocess.Popen(
            command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                process.wait(timeout=rng.uniform(1, 8))
            except subprocess.TimeoutExpired:
                kill_tree(process)
    subprocess.run(command(tmp_path, "--strict"), check=True, capture_output=True)
    assert content(tmp_path / "results").equals(uninterrupted)
    assert leftovers(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("runs", [2, 4])
def test_runs_on_one_folder_share_the_work(
    runs: int, tmp_path: Path, uninterrupted: pl.DataFrame
) -> None:
    here = command(tmp_path, "--jobs", "1")  # writes the suite before anybody reads it
    processes = [
        subprocess.Popen(here, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(runs)
    ]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    assert content(tmp_path / "results").equals(uninterrupted)
    networks = [
        pl.read_parquet(path) for path in (tmp_path / "results" / "networks").glob("*.parquet")
    ]
    every = pl.concat(networks)
    assert every["network_id"].is_unique().all()  # nothing was trained twice
    keys = pl.concat(
        pl.read_parquet(path)["key"] for path in (tmp_path / "results" / "readings").glob("*")
    )
    assert keys.is_unique().all()  # nor read twice


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_stop_stores_what_is_finished(
    how: signal.Signals, tmp_path: Path, uninterrupted: pl.DataFrame
) -> None:
    with subprocess.Popen(
        command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as run:
        while not list(tmp_path.glob("results/networks/*.parquet")):
            assert run.poll() is None, run.communicate()[1].decode()
            time.sleep(0.1)
        run.send_signal(how)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert b"the same command goes on from here" in errors
    assert b"Traceback" not in errors
    subprocess.run(command(tmp_path, "--strict"), check=True, capture_output=True)
    assert content(tmp_path / "results").equals(uninterrupted)
    assert leftovers(tmp_path) == []


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
