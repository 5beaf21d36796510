"""Networks that are trained on decoded labels: chosen without true labels, measured with them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import memgen_bench
from helpers.readings import frame
from memgen_bench.cli import main
from memgen_bench.files.places import default_data_dir, find_places
from memgen_bench.messages import RunSettings
from memgen_bench.plan.suite import load_suite
from memgen_bench.plugin.registry import load_registry
from memgen_bench.results import store
from memgen_bench.running.retraining import (
    COLUMNS,
    Parent,
    choose,
    key_of,
    succeed,
    train_successors,
)
from memgen_bench.running.runner import plan_run
from memgen_leaderboard.scoring.retraining import retraining_frame
from memgen_leaderboard.tables.retraining import retraining_table

if TYPE_CHECKING:
    from helpers.readings import Bench
    from memgen_bench.plan.plan import PlannedNetwork, Reading

SUITE = """
name = "tiny"
version = 1
models = ["mlp"]
datasets = ["digits"]
rates = [0.4]
kinds = ["memorized", "features"]
decoders = ["masc", "knn-50", "lda-shrunk"]
train_size = 400
test_size = 100
validation_fraction = 0.25
"""


def nobody(_: object) -> None:
    """Nobody wants to know."""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite, its cache and its results."""
    folder = tmp_path_factory.mktemp("done")
    (folder / "suite.toml").write_text(SUITE)
    memgen_bench.run(
        str(folder / "suite.toml"),
        engine="serial",
        results=folder / "results",
        cache_dir=folder / "cache",
    )
    return folder


def planned(folder: Path) -> tuple[PlannedNetwork, dict[str, Parent], RunSettings]:
    plan = plan_run(
        load_suite(str(folder / "suite.toml")),
        load_registry(),
        find_places(cache_dir=folder / "cache"),
        device="cpu",
    )
    network = next(each for each in plan.networks if each.kind == "memorized")
    settings = RunSettings(
        plugin_files=(),
        data_dir=default_data_dir(),
        network_dir=folder / "cache" / "networks",
        device="cpu",
    )
    return network, {r.key: own(network, r) for r in network.readings}, settings


def own(network: PlannedNetwork, reading: Reading) -> Parent:
    return Parent(network=network, read=network, reading=reading)


def chosen(folder: Path) -> str:
    readings = store.read_frame(folder / "results", "readings", COLUMNS)
    own = readings.filter(network_id=planned(folder)[0].network_id)
    return str(choose(own, "network")["key"].item())


@pytest.fixture(scope="module")
def successor(done: Path) -> dict[str, Any]:
    _, readings, settings = planned(done)
    return succeed(readings[chosen(done)], settings, nobody)


def test_the_best_on_noisy_validation_is_chosen_whatever_the_test_says(bench: Bench) -> None:
    pixels: dict[str, Any] = {"kind": "features", "model": "pixels"}
    bench.decode({"features": (0.9, 0.1)}, decoder="masc", **pixels)
    bench.decode({"features": (0.95, 0.1)}, decoder="masc", kind="features", model="patches/9")
    bench.decode({"fc1": (0.99, 0.9)}, decoder="masc", kind="random")
    bench.decode({"fc1": (0.99, 0.9)}, decoder="masc", fitted_on="held_out")
    bench.decode({"fc1": (0.5, 0.9), "fc2": (0.6, 0.2)}, decoder="masc")
    bench.decode({"fc1": (0.6, 0.3), "fc2": (0.6, 0.9)}, decoder="ncm")
    bench.decode({"fc1": (0.99, 0.9)}, decoder="told", told_noise=True)
    bench.decode({"fc1": (0.99, 0.9)}, decoder="oracle", saw_test=True)
    bench.decode({"fc1": (0.99, 0.9)}, decoder="broken", status="failed")
    bench.decode({"fc1": (0.99, 0.9)}, decoder="early", epoch=3)
    bench.decode({"fc1": (0.99, 0.9)}, decoder="masc", labels="true")
    bench.readout(0.9)
    rows = frame(bench.rows)
    found = choose(rows, "network")
    assert found.select("decoder", "layer").rows() == [("ncm", "fc1")]  # ties: the earlier layer
    assert choose(rows, "pixels").select("decoder", "layer").rows() == [("masc", "features")]
    turned = rows.with_columns(test_accuracy=1 - pl.col("test_accuracy"))
    assert choose(turned, "network")["key"].to_list() == found["key"].to_list()


def test_without_validation_nothing_is_chosen(bench: Bench) -> None:
    bench.decode({"fc1": (None, 0.9)})
    assert choose(frame(bench.rows), "network").is_empty()


def test_what_is_measured_is_what_was_decoded(done: Path, successor: dict[str, Any]) -> None:
    assert successor["status"] == "ok", successor["message"]
    rows = pl.from_arrow(memgen_bench.read_results(done / "results"))
    assert isinstance(rows, pl.DataFrame)
    reading = rows.filter(key=successor["reading"]).row(0, named=True)
    assert successor["decoded"] == pytest.approx(reading["test_accuracy"])
    assert successor["labels_right_before"] == pytest.approx(1 - reading["realised_rate"])
    # The sample of which a reading tells is all training points here.
    assert successor["labels_right_after"] == pytest.approx(reading["train_accuracy_true"])
    assert successor["labels_changed"] == pytest.approx(1 - reading["train_accuracy_given"])
    own = rows.filter(network_id=successor["network_id"])
    readout = own.filter(decoder="readout")["test_accuracy"].item()
    assert successor["readout_before"] == pytest.approx(readout)
    bits = np.unpackbits(np.frombuffer(successor["test_correct"], np.uint8))
    assert bits[: successor["test_count"]].mean() == pytest.approx(successor["readout_after"])


def test_decoded_labels_are_better_and_so_is_what_is_learnt_of_them(
    successor: dict[str, Any],
) -> None:
    assert successor["labels_right_after"] > successor["labels_right_before"] + 0.1
    assert successor["readout_after"] > successor["readout_before"] + 0.1
    assert successor["accuracy_given"] > 0.99  # of the decoded labels


def test_the_same_again_is_the_same_and_comes_from_the_cache(
    done: Path, successor: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, readings, settings = planned(done)
    monkeypatch.setattr("memgen_bench.network.trainer.train", None)  # nothing is trained
    again = succeed(readings[successor["reading"]], settings, nobody)
    times = {"created"}
    assert {k: v for k, v in again.items() if k not in times} == {
        k: v for k, v in successor.items() if k not in times
    }


def test_trained_anew_it_is_the_same(done: Path, successor: dict[str, Any]) -> None:
    _, readings, settings = planned(done)
    fresh = dataclasses.replace(settings, network_dir=done / "elsewhere")
    again = succeed(readings[successor["reading"]], fresh, nobody)
    assert again["successor_id"] == successor["successor_id"]
    assert again["test_correct"] == successor["test_correct"]


def test_a_failure_is_a_row_that_says_why(done: Path, successor: dict[str, Any]) -> None:
    _, readings, settings = planned(done)
    row = succeed(
        readings[successor["reading"]],
        dataclasses.replace(settings, data_dir=Path("nowhere"), device="cuda:99"),
        nobody,
    )
    assert row["status"] == "failed"
    assert "cuda:99" in row["message"]
    assert "\n" not in row["message"]
    store.table("successors", [row])  # its columns are the table's


def command(folder: Path, *options: str) -> list[str]:
    places = ["--results", str(folder / "results"), "--cache-dir", str(folder / "cache")]
    return ["memgen-bench", "retrain", "--suite", str(folder / "suite.toml"), *places, *options]


def called(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0), *capsys.readouterr()


def test_the_verb_stores_and_shows_and_does_nothing_twice(
    done: Path,
    successor: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = called(command(done), monkeypatch, capsys)
    assert code == 0
    assert "1/1 mlp on digits, uniform 0.4, seed 0: " in out
    assert "Networks retrained on decoded labels" in out
    code, out, _ = called(command(done), monkeypatch, capsys)
    assert (code, "1/1" in out) == (0, False)
    code, out, _ = called(command(done, "--pixels"), monkeypatch, capsys)
    assert "on features: " in out
    rows = store.read_frame(done / "results", "successors")
    assert sorted(rows["source"]) == ["network", "pixels"]
    assert successor["key"] in set(rows["key"])


def test_a_successor_that_another_run_is_at_is_left_to_it(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, readings, settings = planned(done)
    parent = readings[chosen(done)]
    monkeypatch.setattr("memgen_bench.running.locks.Locks.take", lambda *_: False)
    parents = {key_of(parent): parent}
    assert list(train_successors(parents, done / "results", settings, nobody)) == [(network, None)]


def test_without_readings_there_is_one_clear_line(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "readings").mkdir(parents=True)
    (tmp_path / "results" / "readings").mkdir(parents=True)
    (tmp_path / "suite.toml").write_text(SUITE)
    code, _, err = called(command(tmp_path), monkeypatch, capsys)
    assert code == 2
    assert "no readings on noisy validation labels" in err
    assert err.count("\n") == 1


def test_means_are_over_networks_and_intervals_over_seeds() -> None:
    gains = {0: 0.02, 1: 0.04, 2: 0.06}
    rows = [
        {
            "key": f"{seed}-{rate}",
            **{"dataset": "digits", "model": "mlp", "noise": "uniform", "rate": rate},
            **{"seed": seed, "source": "network", "status": "ok"},
            **{"labels_right_before": 0.5, "labels_right_after": 0.9, "readout_before": 0.4},
            **{"early_stopped": 0.6, "decoded": 0.8, "readout_after": 0.8 + gain},
        }
        for seed, gain in gains.items()
        for rate in (0.4, 0.8)
    ]
    rows.append(rows[0] | {"key": "failed", "status": "failed", "readout_after": None})
    found = pl.from_arrow(store.table("successors", rows))
    assert isinstance(found, pl.DataFrame)
    (row,) = retraining_frame(found, ["model"]).iter_rows(named=True)
    assert row["networks"] == 6
    assert row["gain"] == pytest.approx(0.04)
    assert row["gain_half_width"] == pytest.approx(4.302653 * 0.02 / np.sqrt(3))
    assert retraining_frame(found.filter(pl.col("seed") < 2), ["model"])[
        "gain_half_width"
    ].to_list() == [None]
    table = retraining_table(found, ["model"])
    assert table.rows[0][:4] == ("mlp", "memorized networks", "50.0", "90.0")
    assert table.rows[0][-2:] == ("+4.0 ± 5.0", "6")
