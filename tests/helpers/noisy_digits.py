"""Digits of which half of the labels were redrawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from memgen_plugins.noises import uniform

DIGITS = load_digits()
X, TEST, HELD = (DIGITS.data[a:b] for a, b in ((0, 700), (700, 1300), (1300, 1797)))
TRUE, HELD_TRUE, TEST_TRUE = DIGITS.target[:700], DIGITS.target[1300:], DIGITS.target[700:1300]
Y, HELD_Y = (uniform(y, 0.5, 10, np.random.default_rng(3)) for y in (TRUE, HELD_TRUE))


def agree(ours: Any, reference: Any) -> None:
    """Compare predictions."""
    assert np.mean(ours.predict(TEST) == reference.predict(TEST)) >= 0.998
