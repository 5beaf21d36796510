"""Whole runs from Python: the same numbers whatever runs beside them, nothing done twice."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import psutil
import pytest

import memgen_bench
from memgen_bench.plan.suite import Suite
from memgen_bench.results import store
from memgen_bench.running import execution
from memgen_bench.running.observer import Observer

if TYPE_CHECKING:
    from pathlib import Path

TIMES = ["fit_seconds", "predict_seconds", "created"]
TINY = Suite.model_validate(
    {
        "name": "tiny",
        "version": 1,
        "models": ["mlp", "timm/test_resnet"],
        "datasets": ["digits"],
        "rates": [0.0, 0.4],
        "kinds": ["memorized", "clean", "untrained"],
        "decoders": ["masc", "ncm", "logreg"],
        "train_size": 120,
        "test_size": 60,
        "validation_fraction": 0.25,
        "max_layer_dim": 32,
    }
)


def run(folder: Path, suite: Suite = TINY, **options: Any) -> memgen_bench.Summary:
    options = {"engine": "serial"} | options
    return memgen_bench.run(
        suite, results=folder / "results", cache_dir=folder / "cache", **options
    )


def readings(folder: Path) -> pl.DataFrame:
    rows = pl.from_arrow(memgen_bench.read_results(folder / "results"))
    assert isinstance(rows, pl.DataFrame)
    return rows.drop(TIMES).sort("key")


def networks(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = memgen_bench.read_networks(folder / "results").to_pylist()
    return rows


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serial")
    summary = run(folder)
    assert (summary.ok, summary.failed, summary.skipped) == (summary.planned, 0, 0)
    return folder


def test_rows_are_complete_and_right(serial: Path) -> None:
    rows = readings(serial)
    assert rows["key"].is_unique().all()
    assert set(rows["status"]) == {"ok"}
    memorized = rows.filter(pl.col("kind") == "memorized")
    assert set(memorized["rate"]) == {0.4}
    assert memorized["realised_rate"].unique().len() == 1
    assert abs(memorized["realised_rate"][0] - 0.36) < 0.15
    assert set(rows["validation_count"]) == {30}
    assert set(rows["train_count"]) == {90}
    assert set(rows["test_count"]) == {60}
    at_zero = rows.filter(pl.col("rate") == 0)
    assert set(at_zero["labels"]) == {None, "true"}
    assert set(at_zero["noise"]) == {None}
    # The readout on its own training points is the certificate.
    by_id = {network["network_id"]: network for network in networks(serial)}
    for row in memorized.filter(pl.col("decoder") == "readout").iter_rows(named=True):
        assert row["train_accuracy_given"] == by_id[row["network_id"]]["accuracy_given"]


def test_controls_are_read_with_the_labels_of_the_draw(tmp_path: Path) -> None:
    options: dict[str, Any] = {"labels": ["corrupted"], "rates": [0.4]}
    run(tmp_path, kinds=["random", "features"], models=["mlp"], **options)
    trained = {network["kind"]: network for network in networks(tmp_path)}
    assert set(trained) == {"random", "features"}
    assert trained["random"]["rate"] == 1
    assert trained["random"]["epochs"] > 0
    assert trained["features"]["model"] == "pixels"
    assert trained["features"]["optimizer"] is trained["features"]["init_seed"] is None
    decoded = readings(tmp_path).filter(pl.col("decoder") != "readout")
    assert set(decoded["rate"]) == {0.4}
    assert set(decoded["labels"]) == {"corrupted"}
    assert decoded["noise_id"].n_unique() == 1
    assert decoded["noise_id"][0] != trained["random"]["noise_id"]
    places = dict(decoded.group_by("kind").agg(pl.col("layer").unique().sort()).iter_rows())
    assert places == {"random": ["fc1", "fc2", "fc3", "logits"], "features": ["features"]}


def test_test_correct_is_the_accuracy_in_test_order(serial: Path) -> None:
    import numpy as np

    for row in readings(serial).iter_rows(named=True):
        bits = np.unpackbits(np.frombuffer(row["test_correct"], np.uint8))
        assert bits[: row["test_count"]].mean() == row["test_accuracy"]


def test_two_processes_give_the_same_readings_as_one(serial: Path, tmp_path: Path) -> None:
    run(tmp_path, engine="processes", jobs=2, models=["mlp"])
    expected = readings(serial).filter(pl.col("model") == "mlp")
    assert expected["network_id"].n_unique() > 2
    assert readings(tmp_path).equals(expected)


def test_what_else_is_in_the_plan_changes_nothing(serial: Path, tmp_path: Path) -> None:
    run(
        tmp_path,
        models=["mlp"],
        decoders=["ncm", "lda"],
        seeds=[1, 0],
        rates=[0.8, 0.4],
        labels=["corrupted"],
    )
    other = readings(tmp_path)
    shared = readings(serial).join(other, on="key", how="semi").sort("key")
    assert shared.height == 15  # three readouts; ncm on four layers of each kind
    assert shared.equals(other.join(shared, on="key", how="semi").sort("key"))


def test_a_second_run_does_nothing_and_a_new_decoder_trains_nothing(tmp_path: Path) -> None:
    options: dict[str, Any] = {"models": ["mlp"], "kinds": ["memorized"]}
    run(tmp_path, decoders=["ncm"], **options)
    before = {path.name for path in (tmp_path / "results").rglob("*.parquet")}
    assert run(tmp_path, decoders=["ncm"], **options).ok > 0
    assert {path.name for path in (tmp_path / "results").rglob("*.parquet")} == before
    trained = {n["network_id"]: n["curve_loss"] for n in networks(tmp_path)}
    run(tmp_path, decoders=["ncm", "masc"], **options)
    after = networks(tmp_path)
    assert {n["network_id"]: n["curve_loss"] for n in after} == trained
    assert any(n["from_cache"] for n in after)
    assert set(readings(tmp_path)["decoder"]) == {"ncm", "masc", "readout"}


def test_a_cached_network_reads_like_a_fresh_one(serial: Path, tmp_path: Path) -> None:
    memgen_bench.run(
        TINY,
        results=tmp_path / "results",
        cache_dir=serial / "cache",
        engine="serial",
        models=["timm/test_resnet"],
    )
    again = readings(tmp_path)
    assert again.equals(readings(serial).join(again, on="key", how="semi").sort("key"))
    assert {n["from_cache"] for n in networks(tmp_path) if n["kind"] != "untrained"} == {True}


def test_a_missing_data_set_is_left_out_unless_it_was_named(tmp_path: Path) -> None:
    suite = TINY.model_copy(update={"datasets": ("digits", "cifar10"), "models": ("mlp",)})
    summary = run(tmp_path, suite, data_dir=tmp_path, kinds=["untrained"])
    assert list(summary.missing_data) == ["cifar10"]
    assert summary.ok == summary.planned
    with pytest.raises(memgen_bench.DataNotFoundError, match="memgen-bench data"):
        run(tmp_path, suite, data_dir=tmp_path, datasets=["cifar10"])


BROKEN_MODELS = """
import torch
from torch import nn
from memgen_bench import ModelSpec, Recipe, hookimpl

class Narrow(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    def forward(self, x):
        return self.body(x)

class Explodes(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    def forward(self, x):
        return self.body(x) * (float("nan") if self.training else 1)

@hookimpl
def register_models():
    recipe = Recipe(max_epochs=2)
    return [
        ModelSpec(name="narrow", summary="s", build=lambda task: Narrow(), recipe=recipe),
        ModelSpec(name="explodes", summary="s", build=lambda task: Explodes(), recipe=recipe),
    ]
"""


def test_broken_models_become_rows_and_the_rest_goes_on(tmp_path: Path) -> None:
    plugin = tmp_path / "broken_models.py"
    plugin.write_text(BROKEN_MODELS)
    summary = run(
        tmp_path,
        models=["narrow", "explodes", "mlp"],
        kinds=["memorized"],
        plugins=[plugin],
    )
    rows = readings(tmp_path)
    status = dict(rows.group_by("model").agg(pl.col("status").unique().first()).iter_rows())
    assert status == {"narrow": "failed", "explodes": "failed", "mlp": "ok"}
    assert summary.ok + summary.failed == summary.planned
    reasons = {row["model"]: row for row in rows.iter_rows(named=True)}
    assert "[2, 3] for 2 images, not [2, 10]" in reasons["narrow"]["message"]
    assert reasons["explodes"]["error_type"] == "nan"
    assert "the loss is nan in epoch 1" in reasons["explodes"]["message"]
    assert len(summary.reasons) == 2
    assert {"--retry-failed" in line for line in summary.reasons} == {True}


def test_the_package_imports_without_torch() -> None:
    code = "import memgen_bench, memgen_bench.cli, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


BROKEN_DECODERS = """
import os
from memgen_bench import DecoderSpec, hookimpl

class Dies:
    def fit(self, X, y):
        os._exit(3)
    def predict(self, X):
        return X

@hookimpl
def register_decoders():
    return [DecoderSpec(name="dies", summary="s", build=Dies)]
"""


@pytest.mark.slow
def test_a_worker_that_dies_leaves_rows_and_the_other_networks_go_on(tmp_path: Path) -> None:
    plugin = tmp_path / "dies.py"
    plugin.write_text(BROKEN_DECODERS)
    options: dict[str, Any] = {
        "models": ["mlp"],
        "rates": [0.4],
        "kinds": ["untrained", "memorized"],
        "labels": ["corrupted"],
        "plugins": [plugin],
    }
    run(tmp_path, decoders=["ncm"], **options)
    summary = run(tmp_path, decoders=["ncm", "dies"], engine="processes", jobs=2, **options)
    rows = readings(tmp_path)
    assert summary.ok + summary.failed == summary.planned
    dead = rows.filter(pl.col("decoder") == "dies")
    assert set(dead["error_type"]) == {"crash"}
    assert set(rows.filter(pl.col("decoder") == "ncm")["status"]) == {"ok"}


def test_rows_name_the_release_of_their_plugin(serial: Path) -> None:
    release = f"memgen-bench {memgen_bench.__version__}"
    decoders = readings(serial).filter(pl.col("decoder") != "readout")
    assert set(decoders["decoder_plugin"]) == {release}
    assert {network["model_plugin"] for network in networks(serial)} == {release}


GREEDY_DECODERS = """
import numpy as np, torch
from memgen_bench import DecoderSpec, hookimpl

class AllLayers:
    def fit(self, X, y):
        assert list(X) == ["fc1", "fc2", "fc3", "logits"], list(X)
        self.means = np.stack([X["fc1"][y == k].mean(axis=0) for k in range(10)])
        return self
    def predict(self, X):
        return ((X["fc1"][:, None] - self.means) ** 2).sum(axis=2).argmin(axis=1)

class Torch:
    def fit(self, X, y):
        assert X.dtype == torch.float32 and y.dtype == torch.int64
        self.means = torch.stack([X[y == k].mean(0) for k in range(10)])
        return self
    def predict(self, X):
        return torch.cdist(X, self.means).argmin(1)

class NeedsAll(AllLayers):
    def fit(self, X, y, validation, transition, network):
        assert len(validation[1]) == 30 and transition.shape == (10, 10)
        self.means = np.stack([X[y == k].mean(axis=0) for k in range(10)])
        assert not network.training and hasattr(network, "fc3")
        return self
    def predict(self, X):
        return ((X[:, None] - self.means) ** 2).sum(axis=2).argmin(axis=1)

@hookimpl
def register_decoders():
    return [
        DecoderSpec(name="all-layers", summary="s", build=AllLayers, scope="network"),
        DecoderSpec(name="on-torch", summary="s", build=Torch, arrays="torch"),
        DecoderSpec(
            name="needs-all", summary="s", build=NeedsAll,
            needs=("validation", "transition", "network"),
        ),
    ]
"""


def test_decoders_get_what_their_specification_asks_for(tmp_path: Path) -> None:
    plugin = tmp_path / "greedy.py"
    plugin.write_text(GREEDY_DECODERS)
    names = ["all-layers", "on-torch", "needs-all", "ncm-euclidean"]
    summary = run(tmp_path, models=["mlp"], decoders=names, plugins=[plugin])
    rows = readings(tmp_path)
    assert rows.filter(pl.col("status") != "ok")["message"].to_list() == []
    assert summary.ok == summary.planned
    whole = rows.filter(pl.col("decoder") == "all-layers")
    assert set(whole["layer"]) == {"*"}
    same = ["network_id", "noise", "rate", "labels"]
    fc1 = rows.filter(pl.col("decoder") == "ncm-euclidean", pl.col("layer") == "fc1")
    both = whole.join(fc1, on=same, nulls_equal=True)
    assert both.height == whole.height > 0
    assert both["test_correct"].to_list() == both["test_correct_right"].to_list()
    told = rows.filter(pl.col("told_noise"))["decoder"].unique().to_list()
    assert told == ["needs-all"]


# what is stored while a run goes on, and when it is stopped

LATE = """
import numpy as np
from memgen_bench import DecoderSpec, hookimpl

class Late:
    def fit(self, X, y):
        {what}
    def predict(self, X):
        return np.zeros(len(X), int)

@hookimpl
def register_decoders():
    return [DecoderSpec(name="z-late", summary="s", build=Late)]
"""
LITTLE: dict[str, Any] = {"models": ["mlp"], "kinds": ["untrained"], "labels": ["corrupted"]}


class Notes(Observer):
    """Notes how many readings were stored at once, and whether their network was done."""

    def __init__(self) -> None:
        self.stored_at_once: list[tuple[int, bool]] = []

    def stored(self, network: Any, readings: Any, done: bool) -> None:
        self.stored_at_once.append((0 if readings is None else len(readings), done))


def late(folder: Path, what: str) -> dict[str, Any]:
    """Return options for a run with a decoder that comes last and does something when fitted."""
    plugin = folder / "late.py"
    plugin.write_text(LATE.format(what=what))
    return {**LITTLE, "decoders": ["ncm", "z-late"], "plugins": [plugin], "rates": [0.4]}


def test_a_run_in_this_process_stores_what_is_finished_when_it_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, **late(tmp_path, "raise KeyboardInterrupt"))
    rows = readings(tmp_path)
    assert "ncm" in set(rows["decoder"])
    assert set(rows["status"]) == {"ok"}
    assert [network["status"] for network in networks(tmp_path)] == ["ok"]


def test_a_run_in_this_process_stores_rows_while_it_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "_PATIENCE", 0)
    notes = Notes()
    summary = run(tmp_path, decoders=["ncm"], rates=[0.4], observer=notes, **LITTLE)
    each = [count for count, done in notes.stored_at_once if not done]
    assert sum(each) == summary.planned
    assert max(each) == 1


def test_the_first_failure_stops_a_run_in_this_process_within_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "_PATIENCE", 0)
    options = late(tmp_path, "raise RuntimeError('not today')")
    summary = run(tmp_path, fail_fast=True, **options)
    assert summary.failed == 1
    assert set(readings(tmp_path)["error_type"]) == {None, "error"}


def test_what_another_run_stores_meanwhile_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {**LITTLE, "decoders": ["ncm"], "rates": [0.4], "seeds": [0, 1]}
    run(tmp_path / "theirs", **options)
    theirs = tmp_path / "theirs" / "results"
    write_part = store.write_part

    def write(folder: Path, name: str, prefix: str, part: Any) -> Path:
        """Write as another run does at the same moment."""
        if name == "readings":
            for path in (theirs / name).iterdir():
                if not path.name.startswith(prefix):
                    (folder / name).mkdir(exist_ok=True)
                    (folder / name / path.name).write_bytes(path.read_bytes())
        return write_part(folder, name, prefix, part)

    monkeypatch.setattr(store, "write_part", write)
    run(tmp_path, **options)
    parts = [path.name for path in (tmp_path / "results" / "readings").iterdir()]
    assert len(parts) == len({name.split("-")[0] for name in parts}) == 2
    assert readings(tmp_path)["key"].to_list() == readings(tmp_path / "theirs")["key"].to_list()


# the children of a run

TWO_FAULTS = """try:
            open({mark!r}, "x").close()
        except FileExistsError:
            import time
            time.sleep(600)
        raise RuntimeError("not today")"""


@pytest.mark.slow
@pytest.mark.usefixtures("true_children")
def test_the_first_failure_stops_children_that_are_at_work(tmp_path: Path) -> None:
    options = late(tmp_path, TWO_FAULTS.format(mark=str(tmp_path / "mark")))
    before = psutil.Process().children(recursive=True)
    summary = run(tmp_path, engine="processes", jobs=2, seeds=[0, 1], fail_fast=True, **options)
    assert summary.failed == 1
    assert psutil.Process().children(recursive=True) == before


@pytest.mark.slow
@pytest.mark.usefixtures("true_children")
@pytest.mark.parametrize("asked", [{"device": "nonsense"}, {}])
def test_children_end_with_their_run_however_it_ends(tmp_path: Path, asked: Any) -> None:
    options = {**LITTLE, "decoders": ["ncm"], "rates": [0.4], "engine": "processes", **asked}
    before = psutil.Process().children(recursive=True)
    if asked:
        with pytest.raises(memgen_bench.UsageError):
            run(tmp_path, **options)
    else:
        assert run(tmp_path, **options).failed == 0
    assert psutil.Process().children(recursive=True) == before
