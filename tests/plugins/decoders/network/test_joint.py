"""Ridge regression on the units of all layers against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from helpers.noisy_digits import HELD, HELD_Y, TEST, TEST_TRUE, X, Y
from memgen_plugins.decoders.network.joint import SelectedUnits

pytestmark = pytest.mark.usefixtures("one_thread")


def layers(points: np.ndarray) -> dict[str, np.ndarray]:
    """Two layers of which the second is twice as wide."""
    return {"a": points[:, :20], "b": np.hstack([points, np.sin(points)])}


def scaled(points: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Units as they are regressed on, N×148."""
    found = [
        StandardScaler().fit(layers(like)[name]).transform(part) / np.sqrt(2 * part.shape[1])
        for name, part in layers(points).items()
    ]
    return np.hstack(found)


@pytest.mark.parametrize("count", [700, 100])  # more points than units, and fewer
def test_the_units_that_weigh_most_are_regressed_on_again(count: int) -> None:
    points, given = X[:count], Y[:count]
    targets = 2.0 * (given[:, None] == np.arange(10)) - 1
    Z, tests = scaled(points, points), scaled(TEST, points)
    every = Ridge(alpha=3.0).fit(Z, targets)
    whole = SelectedUnits([3.0], [1.0]).fit(layers(points), given)
    assert np.mean(whole.predict(layers(TEST)) == every.predict(tests).argmax(axis=1)) > 0.998
    relevance = np.linalg.norm(every.coef_, axis=0)
    ours = SelectedUnits([3.0], [0.25]).fit(layers(points), given)
    assert [len(ours.relevance_[name]) for name in "ab"] == [20, 128]
    np.testing.assert_allclose(np.hstack(list(ours.relevance_.values())), relevance, rtol=1e-3)
    kept = np.argsort(-relevance)[:37]  # of 148
    assert np.flatnonzero(np.hstack(list(ours.kept_.values()))).tolist() == sorted(kept)
    expected = Ridge(alpha=3.0).fit(Z[:, kept], targets).predict(tests[:, kept]).argmax(axis=1)
    assert np.mean(ours.predict(layers(TEST)) == expected) > 0.998


def test_penalty_and_fraction_are_those_that_are_best_on_noisy_validation() -> None:
    held, tests = layers(HELD), layers(TEST)
    ours = SelectedUnits().fit(layers(X), Y, validation=(held, HELD_Y))
    alphas, fractions = (SelectedUnits().get_params()[name] for name in ("alphas", "fractions"))

    def accuracy(alpha: float, fraction: float) -> float:
        fitted = SelectedUnits([alpha], [fraction]).fit(layers(X), Y)
        return float(np.mean(fitted.predict(held) == HELD_Y))

    alpha = max(alphas, key=lambda each: accuracy(each, 1.0))
    fraction = max(fractions, key=lambda each: accuracy(alpha, each))
    assert ours.chosen_ == {"alpha": alpha, "fraction": fraction}
    assert np.mean(ours.predict(tests) == TEST_TRUE) > 0.75


def test_units_that_say_nothing_are_left_out() -> None:
    rng = np.random.default_rng(0)

    def with_noise(points: np.ndarray) -> dict[str, np.ndarray]:
        return {"noise": rng.standard_normal((len(points), 64)), "good": points}

    held, tests = (with_noise(HELD), HELD_Y), with_noise(TEST)
    ours = SelectedUnits([1.0], [0.3]).fit(with_noise(X), Y, validation=held)
    assert ours.kept_["good"].sum() > 2 * ours.kept_["noise"].sum()
    whole = SelectedUnits([1.0], [1.0]).fit(with_noise(X), Y, validation=held)
    selected, every = (np.mean(each.predict(tests) == TEST_TRUE) for each in (ours, whole))
    assert selected > every


def test_classes_without_points_and_units_without_variance_do_no_harm() -> None:
    given = np.where(Y == 4, 5, Y)
    fitted = SelectedUnits().fit({"a": np.hstack([X, np.ones((len(X), 1))])}, given)
    predicted, moved = (
        fitted.predict({"a": np.hstack([TEST, np.full((len(TEST), 1), value)])})
        for value in (1.0, 9.0)
    )
    assert 4 not in predicted
    assert (predicted == moved).all()
