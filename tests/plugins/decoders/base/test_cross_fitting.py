"""Predictions of points by what is best on other points."""

from __future__ import annotations

import numpy as np

from memgen_plugins.decoders.base.cross_fitting import by_best_on_others, folds


def test_folds_are_apart_and_hold_every_point() -> None:
    for count in (0, 1, 4, 5, 23):
        inside = list(folds(count))
        assert len(inside) == min(5, count)
        assert sum(len(np.flatnonzero(fold)) for fold in inside) == count
        assert len({place for fold in inside for place in np.flatnonzero(fold)}) == count


def test_no_point_is_predicted_by_what_its_own_label_chose() -> None:
    rng, labels = np.random.default_rng(0), np.zeros(500, np.int64)
    guesses = [rng.integers(2, size=500) for _ in range(400)]
    best = max(np.mean(guess == labels) for guess in guesses)
    honest = np.mean(by_best_on_others(guesses, labels) == labels)
    assert best > 0.55  # by luck alone
    assert abs(honest - 0.5) < 0.05
    for place in range(10):
        changed = labels.copy()
        changed[place] = 1
        again = by_best_on_others(guesses, changed)
        assert again[place] == by_best_on_others(guesses, labels)[place]


def test_of_equals_the_first_predicts() -> None:
    labels = np.arange(10) % 2
    first, second = labels.copy(), labels.copy()
    first[0] = second[1] = 7  # in folds 0 and 1
    found = by_best_on_others([first, second], labels)
    assert found.tolist() == [7, 7, *labels[2:]]
