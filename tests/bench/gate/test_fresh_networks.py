"""The slower tier of the gate: decisions at their limits, and from runs to verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from memgen_bench.errors import FixtureError, NotMeasuredError
from memgen_bench.gate import baseline, fresh_networks
from memgen_bench.gate.fresh_networks import SHIPPED, accept_runs, compare_runs, read_runs
from memgen_bench.gate.noninferiority import judge_runs
from memgen_bench.gate.verdicts import exit_code

if TYPE_CHECKING:
    from pathlib import Path

SEEDS, RUNS = 5, 3


def accepted(spread: float) -> np.ndarray:
    """Return runs of five seeds that scatter about means of their own."""
    offsets = np.array([-1.0, 0.0, 1.0]) * spread
    return np.linspace(0.6, 0.8, SEEDS)[:, None] + offsets


@pytest.mark.parametrize(
    ("change", "spread", "expected"),
    [
        (0.0, 0.01, "fine"),
        (-0.01, 0.01, "fine"),
        (-0.05, 0.01, "regression"),
        (-0.02, 0.01, "inconclusive"),
        (0.0, 0.05, "inconclusive"),  # too noisy to exclude a loss of 2 points
        (0.05, 0.01, "improvement"),
        (-0.019, 0.0, "fine"),
        (-0.021, 0.0, "regression"),
    ],
)
def test_limits(change: float, spread: float, expected: str) -> None:
    runs = accepted(spread)
    assert judge_runs("d", "w", runs, runs.mean(axis=1) + change).outcome == expected


def test_how_often_nothing_is_called_a_regression_and_a_loss_is_passed() -> None:
    rng = np.random.default_rng(0)
    outcomes: dict[float, list[str]] = {0.0: [], 0.02: []}
    for loss, found in outcomes.items():
        for _ in range(1000):
            runs = 0.7 + rng.normal(0, 0.01, (SEEDS, RUNS))
            now = 0.7 - loss + rng.normal(0, 0.01, SEEDS)
            found.append(judge_runs("d", "w", runs, now).outcome)
    assert outcomes[0.0].count("regression") == 0
    assert outcomes[0.0].count("fine") > 900
    assert 20 < outcomes[0.02].count("fine") < 80  # 5 % at the margin


def rows(decoder: str, accuracies: np.ndarray) -> pl.DataFrame:
    seed, run = np.divmod(np.arange(accuracies.size), accuracies.shape[1])
    columns = {"decoder": [decoder] * accuracies.size, "seed": seed, "run": run}
    frame = pl.DataFrame({**columns, "accuracy": accuracies.ravel()})
    return frame.with_columns(failure=pl.lit(None, pl.String))


def test_runs_are_stored_with_their_reason_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.parquet"
    with pytest.raises(FixtureError, match="gate accept --train"):
        read_runs(path)
    trained = {"a": rows("a", accepted(0.01)), "b": rows("b", accepted(0.01) - 0.1)}
    monkeypatch.setattr(fresh_networks, "train_and_decode", lambda names, *_: trained[names[0]])
    accept_runs(path, ["a"], "a start")
    accept_runs(path, ["b"], "more")
    stored = read_runs(path)
    assert dict(stored.select("decoder", "reason").unique().iter_rows()) == {
        "a": "a start",
        "b": "more",
    }
    now = pl.concat([rows(name, accepted(0.0)[:, :1]) for name in ("a", "b", "c")])
    verdicts = compare_runs(stored, now)
    assert [each.outcome for each in verdicts] == ["fine", "improvement", "new"]
    assert exit_code(verdicts) == 0
    worse = compare_runs(stored, rows("a", accepted(0.0)[:, :1] - 0.1))
    assert exit_code(worse) == 1


def test_a_decoder_that_fails_now_is_a_regression_and_is_not_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.parquet"
    failed = rows("a", accepted(0.01)).with_columns(failure=pl.lit("ValueError: no"))
    verdicts = compare_runs(rows("a", accepted(0.01)), failed)
    assert [(each.outcome, each.message) for each in verdicts] == [("regression", "ValueError: no")]
    monkeypatch.setattr(fresh_networks, "train_and_decode", lambda *_: failed)
    with pytest.raises(NotMeasuredError, match="a fails on digits mlp, trained: ValueError: no"):
        accept_runs(path, ["a"], "r")
    assert not path.exists()


def test_predictions_are_no_runs() -> None:
    with pytest.raises(FixtureError, match="holds no accepted runs"):
        read_runs(baseline.SHIPPED)


@pytest.mark.slow
def test_networks_trained_now_decode_as_the_accepted_ones() -> None:
    stored = read_runs(SHIPPED)
    now = fresh_networks.train_and_decode(["ncm"], runs=1)
    assert now.height == stored["seed"].n_unique()
    assert [each.outcome for each in compare_runs(stored, now)] == ["fine"]
