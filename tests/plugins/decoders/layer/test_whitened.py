"""MASC after whitening, against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

from helpers.noisy_digits import TEST, X, Y
from memgen_plugins.decoders.layer.whitened import WhitenedMASC, leading

pytestmark = pytest.mark.usefixtures("one_thread")


def test_whitening_leaves_the_directions_in_which_a_class_stands_out() -> None:
    fitted = WhitenedMASC(3, 0.2).fit(X, Y)
    everything = X.T @ X / len(X)
    everything = 0.8 * everything + 0.2 * np.trace(everything) / 64 * np.eye(64)
    root = np.linalg.inv(scipy.linalg.sqrtm(everything).real)
    scores = []
    for k in range(10):
        _, axes = np.linalg.eigh(root @ (X[k == Y].T @ X[k == Y] / np.sum(k == Y)) @ root)
        scores.append(((TEST @ root @ axes[:, -3:]) ** 2).sum(axis=1))
    assert np.mean(fitted.predict(TEST) == np.argmax(scores, axis=0)) >= 0.998


def test_a_class_has_no_more_whitened_axes_than_its_points_span() -> None:
    points = np.random.default_rng(0).standard_normal((10, 40)).astype(np.float32)
    for count in (1, 2, 8):
        fitted = WhitenedMASC(count).fit(points, np.arange(10))
        assert fitted.components_.shape == (10 * count, 40)
        assert (fitted.predict(points) == np.arange(10)).all()


@pytest.mark.parametrize("count", [1, 2, 8])
def test_few_axes_are_those_of_the_whole_eigenproblem(count: int) -> None:
    rng = np.random.default_rng(count)
    points = torch.from_numpy(rng.normal(size=(60, 200)) @ rng.normal(size=(200, 200)))
    second, whitening = points.T @ points, torch.from_numpy(rng.normal(size=(200, 200))).triu()
    values, vectors = leading(whitening, second, count)
    matrix = whitening.T @ second @ whitening
    wanted, axes = torch.linalg.eigh(matrix)
    torch.testing.assert_close(values, wanted.flip(0)[:count])
    along = (vectors * axes.flip(1)[:, :count]).sum(dim=0).abs()
    torch.testing.assert_close(along, torch.ones(count, dtype=torch.float64))


def test_axes_of_a_matrix_of_equal_eigenvalues_are_axes() -> None:
    unit = torch.eye(200, dtype=torch.float64)
    values, vectors = leading(unit, 3 * unit, 2)
    torch.testing.assert_close(values, torch.full((2,), 3.0, dtype=torch.float64))
    torch.testing.assert_close(vectors.T @ vectors, unit[:2, :2])


def test_points_need_not_span_the_space_where_nothing_is_shrunk() -> None:
    points = np.random.default_rng(0).standard_normal((30, 40)).astype(np.float32)
    labels = np.arange(30) % 3
    fitted = WhitenedMASC(4, 0.0).fit(points, labels)
    everything = (points.T @ points / 30).astype(np.float64)
    root = scipy.linalg.sqrtm(np.linalg.pinv(everything, rcond=1e-6)).real
    scores = []
    for k in range(3):
        own = points[labels == k]
        _, axes = np.linalg.eigh(root @ (own.T @ own / 10) @ root)
        scores.append(((points @ root @ axes[:, -4:]) ** 2).sum(axis=1))
    assert (fitted.predict(points) == np.argmax(scores, axis=0)).all()
