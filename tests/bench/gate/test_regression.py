"""The accuracy gate's decisions, at their limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from memgen_bench.gate.regression import Comparison, holm, judge, judge_null, sign_test
from memgen_bench.gate.verdicts import OUTCOMES, Verdict, exit_code

M = 2000
TRUTH = np.arange(M) % 10


def predictions(wrong: int, layers: int = 2) -> np.ndarray:
    """Return predictions of which the first so many are wrong on every layer."""
    predicted = np.tile(TRUTH, (layers, 1))
    predicted[:, :wrong] = (predicted[:, :wrong] + 1) % 10
    return predicted


def outcome(before: np.ndarray, after: np.ndarray) -> str:
    layers = tuple(f"fc{i}" for i in range(len(before)))
    comparison = Comparison(
        decoder="d", fixture="f", layers=layers, before=before, after=after, truth=TRUTH
    )
    return judge([comparison])[0].outcome


def lost_and_gained(lost: int, gained: int) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions before and after, which lost and gained so many images."""
    before, after = predictions(500), predictions(500)
    before[:, 500 : 500 + lost], after[:, 500 : 500 + lost] = TRUTH[500 : 500 + lost], 99
    after[:, :gained] = TRUTH[:gained]
    return before, after


@pytest.mark.parametrize(
    ("lost", "gained", "expected"),
    [
        (0, 0, "fine"),
        (20, 0, "regression"),  # 1.0 points, p far below 0.01
        (21, 0, "regression"),
        (10, 0, "fine"),  # 0.5 points are not more than 0.5
        (11, 0, "regression"),
        (60, 49, "drift"),  # 0.55 points in so much coming and going are not significant
        (121, 100, "regression"),  # more than a point is enough by itself
        (0, 21, "improvement"),
        (49, 60, "drift"),
    ],
)
def test_limits_of_the_mean(lost: int, gained: int, expected: str) -> None:
    assert outcome(*lost_and_gained(lost, gained)) == expected


@pytest.mark.parametrize(("lost", "expected"), [(60, "fine"), (61, "regression")])
def test_limit_of_one_layer(lost: int, expected: str) -> None:
    before = predictions(500, layers=8)  # 61 images of one layer are 0.4 points of the mean
    after = before.copy()
    after[3, 500 : 500 + lost] = 99
    assert outcome(before, after) == expected


def test_other_wrong_predictions_are_a_drift() -> None:
    before, after = predictions(500), predictions(500)
    after[:, :11] = 99
    assert outcome(before, after) == "drift"
    after = predictions(500)
    after[:, :10] = 99
    assert outcome(before, after) == "fine"


def test_an_image_counts_once_whatever_its_layers() -> None:
    before, after = lost_and_gained(7, 0)
    once = sign_test(before, after, TRUTH)
    assert once == pytest.approx(0.5**7)
    assert sign_test(before[:1], after[:1], TRUTH) == once
    after[1] = before[1]
    after[1, 500:504] = 99
    assert sign_test(before, after, TRUTH) == once


def test_a_gain_on_one_layer_offsets_a_loss_on_another() -> None:
    before, after = predictions(0), predictions(0)
    after[0, 5] = before[1, 5] = 99
    assert sign_test(before, after, TRUTH) == 1.0


@pytest.mark.usefixtures("no_collections")
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(expected))


def test_a_small_drop_is_corrected_for_the_number_of_fixtures() -> None:
    def comparison(before: np.ndarray, after: np.ndarray) -> Comparison:
        return Comparison(
            decoder="d", fixture="f", layers=("x", "y"), before=before, after=after, truth=TRUTH
        )

    small, same = comparison(*lost_and_gained(14, 2)), comparison(TRUTH[None], TRUTH[None])
    assert judge([small])[0].p == pytest.approx(0.0021, abs=1e-4)
    assert judge([small])[0].outcome == "regression"
    assert judge([small, *[same] * 9])[0].outcome == "drift"


def test_a_null_is_at_chance_in_the_mean_over_groups() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(0.1, 0.03, (5, 10))
    level = draws - draws.mean(axis=1, keepdims=True) + 0.1
    assert judge_null("d", "n", level.ravel(), 10).outcome == "fine"
    for shift in (0.02, -0.02):
        assert judge_null("d", "n", (level + shift).ravel(), 10).outcome == "leak"
    scattered = level + np.array([0.05, -0.03, 0.04, -0.04, 0.03])[:, None]
    assert judge_null("d", "n", scattered.ravel(), 10).outcome == "fine"


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], 2),
        (["new"], 2),
        (["skipped", "new"], 2),
        (["fine", "new", "drift", "improvement", "skipped"], 0),
        (["fine", "missing"], 2),
        (["missing", "regression"], 1),
        (["fine", "leak"], 1),
        (["inconclusive", "fine"], 3),
    ],
)
def test_exit_codes(outcomes: list[str], code: int) -> None:
    verdicts = [Verdict(decoder="d", fixture="f", outcome=each) for each in outcomes]
    assert exit_code(verdicts) == code
    assert set(outcomes) <= set(OUTCOMES)


def test_a_null_alone_passes_nothing() -> None:
    null = judge_null("d", "n", np.full(50, 0.1), 10)
    assert null.outcome == "fine"
    assert exit_code([null]) == 2
