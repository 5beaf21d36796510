"""Cleaning keeps the points that its definition, or cleanlab, keeps."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import OAS
from sklearn.neighbors import kneighbors_graph

from helpers.noisy_digits import TRUE, X, Y, agree
from memgen_plugins.decoders.layer.centroid import CosineCentroid
from memgen_plugins.decoders.robust.cleaning import FINE, NeighborFilter, Trimmed, issues

pytestmark = pytest.mark.usefixtures("one_thread")


def test_what_wins_the_vote_of_its_neighbours_is_kept() -> None:
    fitted = NeighborFilter(CosineCentroid(), n_neighbors=9).fit(X, Y)
    graph = kneighbors_graph(X, 9, metric="cosine").toarray()
    votes = graph @ np.eye(10)[Y]
    expected = votes[np.arange(len(Y)), Y] == votes.max(axis=1)
    assert np.mean(fitted.kept_ == expected) > 0.995
    assert np.mean(Y[fitted.kept_] == TRUE[fitted.kept_]) > np.mean(Y == TRUE) + 0.3
    agree(fitted, CosineCentroid().fit(X[fitted.kept_], Y[fitted.kept_]))


def test_a_tied_vote_keeps_each_points_own_label() -> None:
    """With class 0 and class 9 called each other's names the same points are kept."""
    swapped = (np.array([9, *range(1, 9), 0]))[Y]
    kept = [NeighborFilter(CosineCentroid(), 8).fit(X, labels).kept_ for labels in (Y, swapped)]
    assert (kept[0] == kept[1]).all()


def test_a_class_that_would_lose_all_its_points_keeps_them() -> None:
    points = np.array([[1.0, 0], [1, 0.1], [1, 0.2], [1, 0.1], [0.9, 0.1]])
    fitted = NeighborFilter(CosineCentroid(), n_neighbors=3).fit(points, [0, 0, 0, 0, 1])
    assert fitted.kept_.all()


def test_fine_keeps_what_lies_along_its_classs_first_axis() -> None:
    fitted = FINE(CosineCentroid()).fit(X, Y)
    for k in range(10):
        points = X[k == Y]
        axis = np.linalg.eigh(points.T @ points)[1][:, -1]
        scores = (points @ axis) ** 2 / (points**2).sum(axis=1)
        kept = fitted.kept_[k == Y]
        assert scores[kept].min() > scores[~kept].max()  # two heaps on a line
    assert np.mean(Y[fitted.kept_] == TRUE[fitted.kept_]) > np.mean(Y == TRUE)


@pytest.mark.parametrize("certainty", [0.5, 0.1])
def test_confident_learning_finds_cleanlabs_issues_where_the_likeliest_class_is_confident(
    certainty: float,
) -> None:
    cleanlab = pytest.importorskip("cleanlab.filter")
    rng = np.random.default_rng(0)
    levels = np.linspace(0.2, 2, 10)  # classes of which some are thought likelier than others
    probabilities = (1 - certainty) * rng.dirichlet(levels, size=len(Y))
    probabilities += certainty * np.eye(10)[TRUE]
    theirs = cleanlab.find_label_issues(Y, probabilities, filter_by="confident_learning", n_jobs=1)
    thresholds = np.array([probabilities[k == Y, k].mean() for k in range(10)])
    likeliest = probabilities.argmax(axis=1)
    confident = probabilities.max(axis=1) >= thresholds[likeliest]
    ours = issues(Y, probabilities)
    assert (ours == theirs)[confident].all()
    assert not theirs[likeliest == Y].any()
    assert 0.2 < theirs.mean() < 0.9


def test_trimming_keeps_what_is_nearest_by_mahalanobis_distance() -> None:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(60, 90)) @ rng.normal(size=(90, 90))
    labels = np.arange(60) % 3
    for points in (mixed, mixed[:, :12]):  # few for their width, and many
        means, tied = [], np.zeros((points.shape[1],) * 2)
        for k in range(3):
            oas = OAS().fit(points[labels == k])
            tied += oas.covariance_ / 3
            means.append(oas.location_)
        apart = points - np.array(means)[labels]
        distances = (apart * np.linalg.solve(tied, apart.T).T).sum(axis=1)
        kept = Trimmed(CosineCentroid(), share=0.5).fit(points, labels).kept_
        for k in range(3):
            own = distances[labels == k]
            assert (kept[labels == k] == (own <= np.sort(own)[9])).all()


def test_trimming_is_a_step_of_concentration() -> None:
    """It cannot raise the determinant (Rousseeuw & Van Driessen 1999), and drops what is far."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.standard_normal((200, 3)), 9 + rng.standard_normal((40, 3))])
    fitted = Trimmed(CosineCentroid(), share=0.7).fit(points, np.zeros(240, int))
    assert fitted.kept_.sum() == 168
    assert not fitted.kept_[200:].any()
    spread = [np.linalg.det(np.cov(of.T, bias=True)) for of in (points, points[fitted.kept_])]
    assert spread[1] < spread[0]
