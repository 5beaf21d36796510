"""Ridge on its own leave-one-out labels against scikit-learn fitted without each point in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from helpers.noisy_digits import HELD, HELD_Y, TEST, TEST_TRUE, X, Y
from memgen_plugins.decoders.layer.linear import Ridge as OwnRidge
from memgen_plugins.decoders.robust.iterated_ridge import IteratedRidge

pytestmark = pytest.mark.usefixtures("one_thread")

FEW, FEW_Y = X[:90, ::3], Y[:90]


def textbook(points: Any, labels: Any, alpha: float, rounds: int) -> Any:
    """Return the last round's ridge and its classes, each point's label found without it."""
    Z, classes = StandardScaler().fit_transform(points.astype(np.float64)), np.unique(labels)
    for count in range(rounds):
        targets = (labels[:, None] == classes).astype(float)
        fitted = Ridge(alpha=alpha).fit(Z, targets)
        if count == rounds - 1:
            return fitted, classes
        others = [np.arange(len(Z)) != place for place in range(len(Z))]
        scores = [
            Ridge(alpha=alpha).fit(Z[kept], targets[kept]).predict(Z[~kept])[0] for kept in others
        ]
        labels = classes[np.argmax(scores, axis=1)]
    raise AssertionError


@pytest.mark.parametrize("rounds", [1, 2, 4])
@pytest.mark.parametrize("points", [FEW, FEW[:20]], ids=["many", "fewer-than-features"])
def test_a_round_is_fitted_on_labels_of_points_left_out_in_turn(points: Any, rounds: int) -> None:
    labels = FEW_Y[: len(points)]
    found = IteratedRidge(alphas=(10.0,), rounds=rounds).fit(points, labels)
    assert found.chosen_["rounds"] == rounds
    fitted, classes = textbook(points, labels, 10.0, rounds)
    scaler = StandardScaler().fit(points.astype(np.float64))
    expected = fitted.predict(scaler.transform(TEST[:, ::3]))
    assert found.decision_function(TEST[:, ::3]) == pytest.approx(expected, abs=1e-4)
    assert (found.classes_ == classes).all()


def test_the_first_round_is_ridge_and_later_ones_read_more_under_noise() -> None:
    first = IteratedRidge(alphas=(100.0,), rounds=1).fit(X, Y)
    assert np.mean(first.predict(TEST) == OwnRidge(100.0).fit(X, Y).predict(TEST)) > 0.99
    found = IteratedRidge().fit(X, Y, validation=(HELD, HELD_Y))
    assert found.chosen_["rounds"] > 1
    gain = np.mean(found.predict(TEST) == TEST_TRUE) - np.mean(first.predict(TEST) == TEST_TRUE)
    assert gain > 0.02


def test_penalty_and_round_are_the_best_on_noisy_validation_and_the_earliest_of_equals() -> None:
    alphas = (10.0, 1000.0)
    held = {}
    for alpha in alphas:
        for rounds in range(1, 7):
            alone = IteratedRidge(alphas=(alpha,), rounds=rounds).fit(X, Y)
            assert alone.validation_predictions_ is None
            held[alpha, rounds] = alone.predict(HELD)
    best = max(held, key=lambda each: np.sum(held[each] == HELD_Y))
    found: Any = IteratedRidge(alphas=alphas, rounds=6).fit(X, Y, validation=(HELD, HELD_Y))
    assert found.chosen_ == {"alpha": best[0], "rounds": best[1]}
    for fold in range(5):
        inside = np.arange(len(HELD)) % 5 == fold
        first = max(held.values(), key=lambda own: np.sum((own == HELD_Y)[~inside]))
        assert (found.validation_predictions_[inside] == first[inside]).all()
    assert found.fit(X, Y).validation_predictions_ is None  # of this fit, not the last


def test_it_ends_where_labels_stay_and_takes_tensors() -> None:
    apart = np.repeat(np.eye(4, dtype=np.float32) * 9, 25, axis=0)
    apart += np.random.default_rng(0).standard_normal(apart.shape).astype(np.float32)
    labels = np.repeat(np.arange(4), 25)
    found = IteratedRidge(rounds=500).fit(torch.from_numpy(apart), torch.from_numpy(labels))
    assert found.chosen_["rounds"] == 1
    assert (found.predict(torch.from_numpy(apart)) == labels).all()


def test_no_round_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'rounds' parameter .* Got 0"):
        IteratedRidge(rounds=0).fit(X, Y)


@pytest.mark.parametrize("alphas", [(), (0.0,), (10.0, -1.0), (np.inf,), (np.nan,)])
def test_penalties_that_are_none_are_refused(alphas: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="give at least one, each above 0"):
        IteratedRidge(alphas=alphas).fit(X, Y)


def test_validation_points_that_are_not_finite_are_told() -> None:
    broken = HELD.copy()
    broken[0, 0] = np.nan
    with pytest.raises(FloatingPointError, match="not finite"):
        IteratedRidge().fit(X, Y, validation=(broken, HELD_Y))


def test_labels_may_be_words() -> None:
    words = np.array(list("abcdefghij"))
    found: Any = IteratedRidge().fit(X, words[Y], validation=(HELD, words[HELD_Y]))
    other: Any = IteratedRidge().fit(X, Y, validation=(HELD, HELD_Y))
    assert (found.validation_predictions_ == words[other.validation_predictions_]).all()
