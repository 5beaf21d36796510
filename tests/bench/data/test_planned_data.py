"""The data of a planned network: its subsets, and the points that decoders are fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import memgen_bench
from memgen_bench.data.planned_data import PlannedData
from memgen_bench.files.places import default_data_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memgen_bench.plan.plan import Plan, PlannedNetwork
    from memgen_bench.plan.suite import FittedOn

POINTS: tuple[FittedOn, ...] = ("training", "held_out", "both")


@pytest.fixture
def network(plan_digits: Callable[..., Plan]) -> PlannedNetwork:
    plan = plan_digits(kinds=["memorized"], held_out_fraction=0.2, validation_fraction=0.25)
    return next(network for network in plan.networks if network.kind == "memorized")


@pytest.fixture
def data(network: PlannedNetwork, monkeypatch: pytest.MonkeyPatch) -> PlannedData:
    monkeypatch.setattr("memgen_bench.data.planned_data.array_digest", lambda *_: "f")
    return PlannedData(network, (), default_data_dir())


def test_held_out_points_are_no_training_points_and_both_are_all(data: PlannedData) -> None:
    places = {each: data.fitted_on(each).train.positions.index for each in POINTS}
    assert not set(places["training"]) & set(places["held_out"])
    assert list(places["both"]) == [*places["training"], *places["held_out"]]
    assert not set(places["both"]) & set(data.validation.positions.index)
    assert data.counts == {
        "train_count": len(places["training"]),
        "held_out_count": round(0.2 * 1297),
        "validation_count": round(0.25 * 1297),
    }
    assert data.fitted_on("training") is data


def test_their_labels_are_as_noisy_and_those_of_training_points_stay(
    data: PlannedData, network: PlannedNetwork
) -> None:
    draw = network.draw
    training, held_out, both = (data.fitted_on(each).labels(draw).train for each in POINTS)
    assert abs(held_out.realised_rate - 0.36) < 0.1
    assert (both.labels == np.concatenate([training.labels, held_out.labels])).all()
    true = data.fitted_on("both").train.true
    assert both.realised_rate == pytest.approx(np.mean(both.labels != true))
    assert len({training.noise_id, held_out.noise_id, both.noise_id}) == 3
    whole = data.fitted_on("held_out").labels(draw)
    assert (whole.validation.labels == data.labels(draw).validation.labels).all()


COUNTS = """
import numpy as np
from memgen_bench import DecoderSpec, hookimpl

class Counts:
    def fit(self, X, y):
        self.chosen_ = {"points": len(X), "labels": int(np.dot(y, np.arange(1, len(y) + 1)))}

    def predict(self, X):
        return np.zeros(len(X), int)

@hookimpl
def register_decoders():
    return [DecoderSpec(name="counts", summary="s", build=Counts)]
"""


def test_decoders_are_fitted_on_the_points_that_their_reading_names(tmp_path: Path) -> None:
    plugin = tmp_path / "counts.py"
    plugin.write_text(COUNTS)
    summary = memgen_bench.run(
        "smoke",
        plugins=[plugin],
        decoders=["counts"],
        kinds=["untrained", "features"],
        rates=[0.4],
        labels=["corrupted"],
        held_out_fraction=0.25,
        fitted_on=["training", "held_out", "both"],
        engine="serial",
        results=tmp_path / "results",
        cache_dir=tmp_path,
    )
    assert summary.ok == summary.planned == 1 + 3 * (4 + 1)  # the readout, layers and pixels
    rows = pl.from_arrow(memgen_bench.read_results(tmp_path / "results"))
    assert isinstance(rows, pl.DataFrame)
    rows = rows.filter(decoder="counts").with_columns(
        points=pl.col("chosen").str.json_path_match("$.points").cast(pl.Int64),
        seen=pl.col("chosen").str.json_path_match("$.labels"),
    )
    counts = dict(rows.select("fitted_on", "points").unique().iter_rows())
    assert counts == {"training": 200, "held_out": 100, "both": 300}
    assert rows.group_by("fitted_on").agg(pl.col("seen").n_unique())["seen"].to_list() == [1, 1, 1]
    assert set(rows["train_count"]) == {200}
    assert set(rows["held_out_count"]) == {100}
