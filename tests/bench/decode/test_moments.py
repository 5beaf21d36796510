"""Class moments in both forms against plain float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.known_moments import (
    FORMS,
    GIVEN,
    SETTINGS,
    TRUE,
    D,
    K,
    X,
    activations,
    added,
    check,
    close,
    kept,
    labels,
    streamed,
)
from memgen_bench.compute import threads
from memgen_bench.decode import moments
from memgen_bench.decode.footprint import WAITING_BYTES, keeps_points, least_bytes
from memgen_bench.decode.moments import KeptMoments, Labelling, StreamedMoments, moments_of
from memgen_bench.decode.scratch import Scratch

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("batch", [1, 97, 400])
@pytest.mark.parametrize("waiting", [64 << 20, 4 * D * 50])
def test_streamed_moments_equal_plain_numpy(
    batch: int, waiting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "WAITING_BYTES", waiting)
    monkeypatch.setattr(moments, "_GRAM_BLOCK", 5)
    adding = added(X, SETTINGS, batch=batch)
    for setting, y in SETTINGS.items():
        found = adding.moments(setting)
        assert isinstance(found, StreamedMoments)
        check(found, X, y)


@pytest.mark.parametrize("block", [7, 8192])
@pytest.mark.parametrize("count", [400, 30])  # more points a class than dimensions, and fewer
def test_kept_moments_equal_plain_numpy(
    block: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "block_rows", lambda width: block)
    monkeypatch.setattr(moments, "_GRAM_BLOCK", 5)
    check(kept(X[:count], GIVEN[:count]), X[:count], GIVEN[:count])


def test_kept_moments_whose_results_go_to_files_are_the_same() -> None:
    wide = activations(120, 560)
    y = labels(120, num_classes=2)
    in_memory = KeptMoments(torch.from_numpy(wide), y)
    in_files = KeptMoments(torch.from_numpy(wide), y, scratch=Scratch(0))
    for k in range(2):
        assert torch.equal(in_files.second(k), in_memory.second(k))
        for ours, theirs in zip(in_files.axes(k), in_memory.axes(k), strict=True):
            assert torch.equal(ours, theirs)
    assert torch.equal(in_files.within(), in_memory.within())


def test_what_is_kept_counts_in_the_budget() -> None:
    scratch = Scratch(4 << 20)
    square = 560 * 560 * 4  # bytes of float32
    found = KeptMoments(torch.ones(600, 560), np.zeros(600, np.int64), scratch=scratch)
    assert not isinstance(scratch.empty((square,), np.int8), np.memmap)
    found.axes(0)  # keeps a float64 second moment and float32 axes
    assert isinstance(scratch.empty((square,), np.int8), np.memmap)
    del found
    assert not isinstance(scratch.empty((3 * square,), np.int8), np.memmap)


def test_axes_of_few_points_count_in_the_budget_too() -> None:
    found = streamed(activations(500, 560), np.zeros(500, np.int64), 1)
    found.scratch = Scratch(2 << 20)
    assert found.axes(0)[1].nbytes == 560 * 500 * 4 > 1 << 20
    assert isinstance(found.scratch.empty((5 << 18,), np.int8), np.memmap)


def test_both_label_settings_from_one_pass_equal_separate_ones() -> None:
    both = added(X, SETTINGS)
    for setting, y in SETTINGS.items():
        alone, found = streamed(X, y), both.moments(setting)
        assert found.counts.tolist() == alone.counts.tolist()
        close(found.means, alone.means.numpy())
        for k in range(K):
            close(found.second(k), alone.second(k).numpy())
        only = added(X, SETTINGS, wanted=(setting,)).moments(setting)
        assert torch.equal(only.means, found.means)  # who else wants moments changes nothing
        assert all(torch.equal(only.second(k), found.second(k)) for k in range(K))


@pytest.mark.parametrize("setting", SETTINGS)
def test_moments_can_be_asked_for_again(setting: str) -> None:
    adding = added(X, SETTINGS)
    first = adding.moments(setting)
    for other in SETTINGS:
        adding.moments(other)
    again = adding.moments(setting)
    assert torch.equal(first.means, again.means)
    assert all(torch.equal(first.second(k), again.second(k)) for k in range(K))


@pytest.mark.parametrize("form", FORMS)
def test_a_label_without_points_is_left_out(form: str) -> None:
    y = np.where(np.isin(TRUE, (0, 2)), 3, TRUE)
    found = FORMS[form](X, y)
    assert found.classes.tolist() == [1, 3]
    check(found, X, y)


def test_a_label_without_points_in_one_setting_only_is_left_out_there() -> None:
    settings = {"corrupted": np.where(GIVEN == 1, 2, GIVEN), "true": np.where(TRUE == 3, 0, TRUE)}
    adding = added(X, settings)
    for setting, y in settings.items():
        check(adding.moments(setting), X, y)


@pytest.mark.parametrize("form", FORMS)
def test_labels_with_a_single_point_have_one_axis(form: str) -> None:
    y = np.arange(5)
    found = FORMS[form](X[:5], y, 5)
    check(found, X[:5], y)
    for k in range(5):
        values, vectors = found.axes(k)
        point = torch.from_numpy(X[k]).double()
        assert float(values[0]) == pytest.approx(float(point @ point))
        assert abs(float(vectors[:, 0].double() @ point)) == pytest.approx(float(point.norm()))


@pytest.mark.parametrize("form", FORMS)
def test_a_class_of_zero_vectors_has_no_weight(form: str) -> None:
    Z = X.copy()
    Z[TRUE == 1] = 0
    found = FORMS[form](Z, TRUE)
    values, vectors = found.axes(1)
    assert not values.any()
    assert torch.isfinite(vectors).all()
    check(FORMS[form](Z, np.where(TRUE == 1, 0, TRUE)), Z, np.where(TRUE == 1, 0, TRUE))


@pytest.mark.parametrize("count", [1, 5, 30, 39, 40, 41])
def test_axes_from_the_gram_matrix_are_those_of_the_square_one(count: int) -> None:
    dim = 40
    points, test = activations(count, dim), activations(50, dim, seed=5).astype(np.float64)
    y = np.zeros(count, dtype=np.int64)
    values, vectors = (part.double().numpy() for part in kept(points, y).axes(0))
    second = points.astype(np.float64).T @ points / count
    expected, basis = (part[..., ::-1] for part in np.linalg.eigh(second))
    rank = min(count, dim)
    np.testing.assert_allclose(values, expected[:rank], rtol=1e-5, atol=1e-6 * expected[0])
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(rank), atol=1e-4)
    for p in {1, (rank + 1) // 2, max(1, rank - 2)}:
        ours, theirs = (np.linalg.norm(test @ side[:, :p], axis=1) for side in (vectors, basis))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_batches_in_another_size_give_the_same_up_to_rounding() -> None:
    first, second = (added(X, SETTINGS, batch=batch).moments("corrupted") for batch in (64, 33))
    close(first.means, second.means.numpy(), 1e-14)
    for k in range(K):
        close(first.second(k), second.second(k).numpy(), 1e-14)


# which form


def test_the_smaller_form_is_chosen_by_shapes_alone() -> None:
    many = 4 * K * D + 1
    y = np.arange(many) % K
    points = activations(many)
    assert isinstance(moments_of(points, y), StreamedMoments)
    assert isinstance(moments_of(points[1:], y[1:]), KeptMoments)
    assert isinstance(moments_of(points[1:], np.zeros(many - 1, np.int64)), StreamedMoments)
    check(moments_of(points, y), points, y)
    check(moments_of(points[1:], y[1:]), points[1:], y[1:])


def test_the_least_memory_covers_the_sums_of_both_label_settings() -> None:
    many = 4 * K * D + 1
    assert not keeps_points(many, D, K)
    sums = Labelling(SETTINGS, frozenset(SETTINGS)).bytes(K, D)
    assert sums == 8 * D * D * 3 * K  # labels that agree, and the others of each setting
    assert least_bytes(many, D, K) == sums + WAITING_BYTES
    assert least_bytes(many - 1, D, K) == 0


def test_few_points_have_moments_in_the_space_that_they_span() -> None:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(3 + rng.normal(size=(20, 50)).astype(np.float32))
    labels = np.repeat([0, 2], 10)
    kept = KeptMoments(points, labels)
    found = kept.along_span()
    assert found is not None
    mean, basis, inside = found
    torch.testing.assert_close(basis.T @ basis, torch.eye(20, dtype=torch.float64))
    along = (points.double() - mean) @ basis
    torch.testing.assert_close(along @ basis.T + mean, points.double())
    assert (inside.classes == [0, 2]).all()
    torch.testing.assert_close(inside.means @ basis.T + mean, kept.means)
    for k in range(2):
        torch.testing.assert_close(basis @ inside.covariance(k) @ basis.T, kept.covariance(k))
    more = torch.cat([points, points])  # that spans as little, but nobody looks
    assert KeptMoments(more, np.tile(labels, 2)).along_span() is None
    assert moments_of(np.ones((1000, 2), np.float32), np.arange(1000) % 2).along_span() is None


@pytest.mark.parametrize("dim", [1, 7, 513, 600])
def test_a_symmetric_matrix_is_its_lower_triangle_twice(dim: int) -> None:
    matrix = torch.from_numpy(np.random.default_rng(0).random((dim, dim)))
    found = moments.symmetric(matrix)
    assert torch.equal(found, found.T)
    assert torch.equal(found.tril(), matrix.tril())


@pytest.mark.parametrize("count", [1, 2])  # by SciPy, by torch
@pytest.mark.parametrize("dim", [1, 95, 200])
def test_products_are_added_at_least_below_the_diagonal(count: int, dim: int) -> None:
    rows = torch.from_numpy(np.random.default_rng(dim).normal(size=(30, dim)))
    lower = torch.ones(dim, dim, dtype=torch.float64)
    with threads(count):
        moments.add_gram(lower, rows)
    torch.testing.assert_close(torch.tril(lower), torch.tril(rows.T @ rows + 1))
