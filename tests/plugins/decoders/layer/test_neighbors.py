"""Votes of neighbours against scikit-learn's."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from helpers.references import (
    DIGITS,
    TEST,
    TEST64,
    X64,
    Y,
)
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors, ReliableNeighbors
from memgen_plugins.noises import uniform

pytestmark = pytest.mark.usefixtures("one_thread")


def labels_of_neighbours(k: int) -> np.ndarray:
    """The labels of each test point's neighbours, nearest first, M×k."""
    search = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(X64)
    return np.asarray(Y[search.kneighbors(TEST64, return_distance=False)])


@pytest.mark.parametrize("k", [1, 5, 50])
def test_neighbours_equal_scikit_learns_where_the_vote_is_clear(k: int) -> None:
    reference = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(X64, Y)
    votes = np.sort(reference.predict_proba(TEST64), axis=1)
    clear = votes[:, -1] > votes[:, -2]
    ours = CosineNeighbors(k).fit(X64, Y)
    assert (ours.predict(TEST) == reference.predict(TEST64))[clear].all()
    assert clear.mean() > 0.8


def test_of_labels_with_equally_many_votes_that_of_the_nearest_neighbour_wins() -> None:
    expected = [Counter(labels.tolist()).most_common(1)[0][0] for labels in labels_of_neighbours(4)]
    assert (CosineNeighbors(4).fit(X64, Y).predict(TEST) == expected).all()


def test_under_much_noise_no_class_gains_from_ties() -> None:
    noisy = uniform(DIGITS.target[:1000], 0.8, 10, np.random.default_rng(0))
    shares = np.bincount(CosineNeighbors(5).fit(X64, noisy).predict(TEST), minlength=10) / len(TEST)
    given = np.bincount(noisy, minlength=10) / len(noisy)
    assert np.abs(shares - given).max() < 0.05


def test_scores_are_votes_and_less_than_half_a_vote_for_what_is_near() -> None:
    scores = CosineNeighbors(5).fit(X64, Y).decision_function(TEST)
    labels = labels_of_neighbours(5)
    votes = np.stack([np.bincount(row, minlength=10) for row in labels])
    nearest = [[np.argmax(row == k) if k in row else np.inf for k in range(10)] for row in labels]
    np.testing.assert_allclose(scores, votes + 1 / (2 * (np.array(nearest) + 1) + 2), atol=1e-12)


def test_with_fewer_points_than_neighbours_all_of_them_vote() -> None:
    fitted = CosineNeighbors(50).fit(np.eye(5), [1, 1, 1, 0, 0])
    assert fitted.predict(np.eye(5)).tolist() == [1] * 5


def test_neighbours_vote_with_the_reliability_of_their_labels() -> None:
    rng = np.random.default_rng(0)
    given = uniform(Y[:300], 0.4, 10, rng)
    points, fewest, most = X64[:300], 5, 15
    turned = points / np.linalg.norm(points, axis=1, keepdims=True)

    def majority(labels: list[int], weights: list[float]) -> int:
        votes: dict[int, float] = {}
        for label, weight in zip(labels, weights, strict=True):
            votes[label] = votes.get(label, 0) + weight
        # Of equals the one that comes first is the nearest.
        return max(votes, key=lambda label: round(votes[label], 9))

    sizes = []
    for i, own in enumerate(turned):
        order = [j for j in np.argsort(-turned @ own, kind="stable") if j != i]
        takes = [
            k
            for k in range(fewest, most, 2)
            if majority([given[j] for j in order[:k]], [1.0] * k) == given[i]
        ]
        sizes.append(min(takes, default=most))
    ours = ReliableNeighbors(fewest, most).fit(points, given)
    assert np.mean(ours.sizes_ == sizes) > 0.98
    expected = []
    for test in TEST64[:200] / np.linalg.norm(TEST64[:200], axis=1, keepdims=True):
        nearest = np.argsort(-turned @ test, kind="stable")
        asked = nearest[: sizes[nearest[0]]]
        expected.append(majority([given[j] for j in asked], [1 / sizes[j] for j in asked]))
    assert np.mean(ours.predict(TEST64[:200]) == expected) > 0.98


def test_reliability_needs_a_range() -> None:
    with pytest.raises(ValueError, match="more than n_most=5"):
        ReliableNeighbors(11, 5).fit(X64, Y)
