"""What stopping in time would have given: recalled from the training; ranked only where fair."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import memgen_bench
from helpers.readings import Bench
from memgen_bench import NotApplicable, load_registry
from memgen_bench.data.datasets import load_data
from memgen_bench.data.splits import test_subset
from memgen_bench.files.places import default_data_dir
from memgen_bench.plan.suite import Suite
from memgen_bench.plugin.training_record import TrainingRecord
from memgen_plugins.decoders.network.early_stopping import BestEpoch, EarlyStopped, TimeAveraged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUITE = Suite(
    name="early",
    version=1,
    models=("mlp",),
    datasets=("digits",),
    rates=(0.0, 0.4),
    kinds=("memorized", "clean", "untrained"),
    decoders=("early-stopped", "best-epoch"),
    train_size=200,
    test_size=60,
)


def test_stored_predictions_are_scored_where_a_network_was_trained_on_the_labels(
    tmp_path: Path,
) -> None:
    summary = memgen_bench.run(
        SUITE, results=tmp_path / "results", cache_dir=tmp_path / "cache", engine="serial"
    )
    assert summary.failed == 0
    rows = pl.from_arrow(memgen_bench.read_results(tmp_path / "results"))
    assert isinstance(rows, pl.DataFrame)
    rows = rows.filter(pl.col("decoder") != "readout")
    assert set(rows["layer"]) == {"*"}
    fine = rows.filter(pl.col("status") == "ok")
    own = ["memorized corrupted 0.4", "clean true 0.0"]
    assert sorted(set(pl.Series(fine.select(pl.format("{} {} {}", "kind", "labels", "rate"))))) == (
        sorted(own)
    )
    assert fine.height == rows.height == summary.planned - 3  # the readouts
    truth = load_data(load_registry().datasets["digits"], default_data_dir()).test_y
    places = test_subset(truth, 60)
    for network in memgen_bench.read_networks(tmp_path / "results").to_pylist():
        for decoder, name in (("early-stopped", "validation"), ("best-epoch", "test")):
            of_network = pl.col("network_id") == network["network_id"]
            found = fine.filter(of_network, pl.col("decoder") == decoder).to_dicts()
            if network["kind"] == "untrained":
                assert found == []
                continue
            predicted = np.array(network[f"best_{name}_predictions"])[places]
            assert found[0]["test_accuracy"] == np.mean(predicted == truth[places])
            assert json.loads(found[0]["chosen"]) == {"epoch": network[f"best_{name}_epoch"]}
            assert found[0]["validation_accuracy"] is None
            assert found[0]["saw_test"] == (decoder == "best-epoch")


def test_who_saw_the_test_set_is_shown_without_a_rank(
    make_reading: Callable[..., dict[str, object]],
) -> None:
    bench = Bench(make_reading)
    for seed in range(3):
        bench.cell(0.8, 0.5, 0.9, decoder="fair", seed=seed)
        bench.decode({"fc1": (0.5, 0.9)}, decoder="oracle", saw_test=True, seed=seed)
    board = bench.board()
    assert board["fair"]["rank"] == 1
    assert board["oracle"]["rank"] is None
    assert board["oracle"]["decoded"] == 0.9


def test_epochs_are_recalled_from_the_record_of_the_training() -> None:
    record = TrainingRecord(
        best_validation_epoch=3,
        best_validation_predictions=[1, 2],
        best_test_epoch=5,
        best_test_predictions=[2, 2],
        loss=[3.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        averaged_predictions=[2, 1],
    )
    assert EarlyStopped().recall(record) == (3, [1, 2])
    assert BestEpoch().recall(record) == (5, [2, 2])
    assert TimeAveraged().recall(record) == (6, [2, 1])
    with pytest.raises(NotApplicable, match="validation_fraction"):
        EarlyStopped().recall(TrainingRecord(best_test_epoch=1))
    with pytest.raises(NotApplicable, match="train again"):
        TimeAveraged().recall(TrainingRecord(loss=[1.0]))
