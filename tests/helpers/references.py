"""Digits of which some are called threes, and how near a decoder comes to a reference on them.

How near was measured on one thread; the bounds of the tests leave a factor of ten. A score is
compared after its mean over the classes was taken off, which decides nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

DIGITS = load_digits()
X, TEST = DIGITS.data[:1000].astype(np.float32), DIGITS.data[1000:].astype(np.float32)
Y = np.where(np.random.default_rng(0).random(1000) < 0.4, 3, DIGITS.target[:1000])
X64, TEST64 = X.astype(np.float64), TEST.astype(np.float64)


def centred(scores: np.ndarray) -> np.ndarray:
    """Take the mean over the classes off."""
    return scores - scores.mean(axis=1, keepdims=True) if scores.ndim == 2 else scores


def near(
    ours: Any, reference: Any, bound: float, test: np.ndarray = TEST64, *, factor: float = 1
) -> None:
    """Compare predictions, and scores relative to the largest."""
    assert np.mean(ours.predict(test) == reference.predict(test)) >= 0.999
    expected = factor * centred(reference.decision_function(test))
    difference = centred(ours.decision_function(test)) - expected
    assert float(np.abs(difference).max()) <= bound * float(np.abs(expected).max())


def plain(points: np.ndarray) -> np.ndarray:
    """Change nothing."""
    return points


def with_repeated_columns(points: np.ndarray) -> np.ndarray:
    """Repeat some columns: the covariance becomes singular."""
    return np.concatenate([points, points[:, 20:30], points[:, 20:21]], axis=1)


def with_constant_columns(points: np.ndarray) -> np.ndarray:
    """Add columns that say nothing."""
    return np.concatenate([points, np.full((len(points), 2), [0.5, -8.0])], axis=1)


COLUMNS = [plain, with_repeated_columns, with_constant_columns]


def unmoved_by_a_column_that_was_constant(build: Any, value: float) -> None:
    """Compare scores with those where such a column changes after the fit."""

    def add(points: np.ndarray, value: float) -> np.ndarray:
        return np.concatenate([points, np.full((len(points), 1), value)], axis=1)

    without = build().fit(X64, Y).decision_function(TEST64)
    changed = build().fit(add(X64, value), Y).decision_function(add(TEST64, value + 2))
    np.testing.assert_allclose(changed, without, rtol=1e-5, atol=1e-5 * np.abs(without).max())
