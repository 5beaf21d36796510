"""Passes: the same is read whatever the budget, in as few passes as it allows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
import pytest
from torch import nn

import memgen_bench
from helpers.reading_lab import CPU, FROM_MOMENTS, PLENTY, SUITE, Counted, Lab, of, same
from memgen_bench import UsageError
from memgen_bench.decode import passes
from memgen_bench.decode import training_points as points_module
from memgen_bench.decode.footprint import WAITING_BYTES
from memgen_bench.decode.passes import Demand, Passes
from memgen_bench.decode.training_points import TrainingPoints
from memgen_bench.plan.plan import Draw, Layer
from memgen_bench.protocol import FEATURE_BATCH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from memgen_bench.data.planned_data import PlannedData
    from memgen_bench.decode.decoding import Outcome

pytestmark = pytest.mark.usefixtures("one_thread")


def demands(*, points: bool, moments: frozenset[str] = frozenset()) -> list[Demand]:
    """Return demands of two draws on each of two layers."""
    layers = [Layer(name=f"fc{i}", index=i, depth=i, dim=8, width=8) for i in range(2)]
    draws = [None, Draw(noise="uniform", noise_version=1, rate=0.4, noise_seed=0)]
    return [
        Demand(layer=layer, draw=draw, points=points, moments=moments)
        for layer in layers
        for draw in draws
    ]


def sizes(memory: int, wanted: Sequence[Demand]) -> list[int]:
    """Return how many demands each pass meets, of 100 training points and 20 others."""
    subset = SimpleNamespace(true=np.arange(100) % 2)
    few = SimpleNamespace(true=np.arange(5))
    drawn = SimpleNamespace(train=SimpleNamespace(labels=subset.true))
    data = SimpleNamespace(
        train=subset,
        validation=few,
        test=few,
        sample=np.arange(10),
        num_classes=2,
        labels=lambda draw: drawn,
    )
    passes = Passes(nn.Identity(), cast("PlannedData", data), CPU, memory, FEATURE_BATCH)
    groups = list(passes.groups(wanted))
    assert [demand for group in groups for demand in group] == wanted
    return [len(group) for group in groups]


def test_a_pass_meets_as_many_demands_as_fit_but_at_least_one() -> None:
    a_layer = 4 * 8 * (100 + 20)  # float32, once for both draws
    stored = demands(points=True)
    assert sizes(2 * a_layer, stored) == [4]
    assert sizes(2 * a_layer - 1, stored) == [2, 2]
    assert sizes(a_layer, stored) == [2, 2]
    assert sizes(a_layer - 1, stored) == [1, 1, 1, 1]
    assert sizes(a_layer - 1, demands(points=False)) == [4]  # samples alone


def test_what_a_decoder_wants_of_moments_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points_module, "keeps_points", lambda *shape: False)
    of_moments = demands(points=False, moments=frozenset({"true"}))
    room = WAITING_BYTES + 4 * 8 * 20
    sums = 8 * 2 * 8**2  # float64, K×D×D
    assert sizes(room + 3 * sums, of_moments) == [2, 2]  # of the draw also what labels agree on
    assert sizes(room + 3 * sums - 1, of_moments) == [1, 1, 1, 1]


def test_what_is_read_by_default(lab: Lab, expected: dict[str, Outcome], counted: Counted) -> None:
    assert {outcome.status for outcome in expected.values()} == {"ok"}
    same(lab.read(SUITE.decoders), expected)
    assert (counted.passes, counted.files) == (1, 0)


def test_without_any_budget_the_same_is_read(
    lab: Lab, expected: dict[str, Outcome], counted: Counted
) -> None:
    same(lab.read(SUITE.decoders, memory=1), expected)
    assert counted.passes == 3 * 3  # one for each layer and draw
    assert counted.files > counted.passes


def test_with_a_small_budget_the_same_is_read(
    lab: Lab, form: str, expected: dict[str, Outcome], counted: Counted
) -> None:
    memory = 50_000 if form == "kept" else WAITING_BYTES + (3 << 20)
    same(lab.read(SUITE.decoders, memory=memory), expected)
    assert 1 < counted.passes < 12


def test_a_run_under_two_budgets_gives_the_same_readings(
    plugin: Path, tmp_path: Path, form: str, counted: Counted
) -> None:
    def readings(memory: int) -> pl.DataFrame:
        summary = memgen_bench.run(
            SUITE,
            results=tmp_path / str(memory),
            cache_dir=tmp_path,
            plugins=[plugin],
            decoders=["masc", "knn-5", "whole"],
            engine="serial",
            memory=memory,
        )
        assert summary.ok == summary.planned
        rows = pl.from_arrow(memgen_bench.read_results(tmp_path / str(memory)))
        assert isinstance(rows, pl.DataFrame)
        return rows.drop("fit_seconds", "predict_seconds", "created").sort("key")

    plenty = readings(PLENTY)
    assert (counted.passes, counted.files) == (1, 0)
    least = 1 if form == "kept" else WAITING_BYTES + (1 << 20)
    assert readings(least).equals(plenty)
    assert counted.passes > 3
    assert counted.files > 0 or form == "streamed"


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[TrainingPoints]:
    """The training points of all layers that were read."""
    made: list[TrainingPoints] = []

    class Remembered(TrainingPoints):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            made.append(self)

    monkeypatch.setattr(passes, "TrainingPoints", Remembered)
    return made


def test_points_are_stored_only_for_decoders_that_want_them(
    lab: Lab, form: str, stored: list[TrainingPoints]
) -> None:
    lab.read(FROM_MOMENTS)
    assert [each.points is None for each in stored] == [form == "streamed"] * 3
    stored.clear()
    lab.read([*FROM_MOMENTS, "knn-5"])
    assert [each.points is None for each in stored] == [False] * 3


def test_the_readout_alone_stores_nothing(lab: Lab, stored: list[TrainingPoints]) -> None:
    found = of(lab.read(["whole"]), None)
    assert [outcome.status for outcome in found.values()] == ["ok"]
    assert [each.points for each in stored] == [None]


# too little memory


def refused(tmp_path: Path, **options: Any) -> str:
    suite = SUITE.model_copy(update={"train_size": None, "models": ("mlp",), "decoders": ("ncm",)})
    with pytest.raises(UsageError) as caught:
        memgen_bench.run(suite, results=tmp_path / "results", cache_dir=tmp_path, **options)
    assert not (tmp_path / "results").exists()
    return str(caught.value)


def test_a_budget_below_the_moments_of_a_layer_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    message = refused(tmp_path, jobs=1, memory=1 << 20)
    for part in (
        "1 MiB of memory",
        "layer 'logits' of mlp on digits, untrained, seed 0",
        "take 64 MiB",
        "raise --memory, or lower --jobs or --max-layer-dim",
    ):
        assert part in message
    assert "\n" not in message


def test_networks_computed_at_once_share_the_budget(tmp_path: Path) -> None:
    assert "50 MiB of memory" in refused(tmp_path, jobs=2, memory=100 << 20, seeds=[0, 1])
