"""Votes of neighbours against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from helpers.references import (
    TEST,
    TEST64,
    X64,
    Y,
)
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("k", [1, 5, 50])
def test_neighbours_equal_scikit_learns(k: int) -> None:
    reference = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(X64, Y)
    ours = CosineNeighbors(k).fit(X64, Y)
    assert (ours.predict(TEST) == reference.predict(TEST64)).all()


def test_with_fewer_points_than_neighbours_all_of_them_vote() -> None:
    fitted = CosineNeighbors(50).fit(np.eye(5), [1, 1, 1, 0, 0])
    assert fitted.predict(np.eye(5)).tolist() == [1] * 5
