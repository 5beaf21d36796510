"""Triangular matrices against full products and factorisations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from memgen_bench.compute import threads
from memgen_plugins.decoders.base.triangular import (
    solved,
    times_upper,
    upper_factor,
    whitened,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, params=[1, 2], ids=["by SciPy", "by torch"])
def both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    with threads(request.param):
        yield


def covariance(dim: int) -> torch.Tensor:
    points = torch.from_numpy(np.random.default_rng(dim).normal(size=(3 * dim, dim)))
    return points.T @ points / len(points)


@pytest.mark.parametrize("dim", [1, 2, 37])
def test_a_whitening_whitens_and_knows_the_determinant(dim: int) -> None:
    matrix = covariance(dim)
    found = whitened(matrix.clone())
    assert found is not None
    whitening, log_root = found
    torch.testing.assert_close(whitening, whitening.triu())
    unit = torch.eye(dim, dtype=torch.float64)
    torch.testing.assert_close(whitening.T @ matrix @ whitening, unit)
    assert log_root == pytest.approx(float(matrix.logdet()) / 2)


def test_what_is_not_positive_definite_has_no_whitening() -> None:
    assert whitened(torch.zeros(3, 3, dtype=torch.float64)) is None
    assert whitened(torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))) is None


def test_a_factor_gives_its_matrix_again_and_solves_systems() -> None:
    matrix, right = covariance(37), covariance(37)[:, :4]
    factor = upper_factor(matrix.clone())
    assert factor is not None
    torch.testing.assert_close(factor, factor.triu())
    torch.testing.assert_close(factor.T @ factor, matrix)
    torch.testing.assert_close(matrix @ solved(matrix, right), right)
    assert upper_factor(torch.zeros(3, 3, dtype=torch.float64)) is None
    indefinite = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    torch.testing.assert_close(solved(indefinite, right[:2]), indefinite @ right[:2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_triangular_product_is_the_full_one(dtype: torch.dtype) -> None:
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 37))).to(dtype)
    upper = covariance(37).to(dtype).triu()
    found = times_upper(rows.clone(), upper)
    assert found.dtype == dtype
    torch.testing.assert_close(found, rows @ upper)
    column_major = torch.from_numpy(np.asfortranarray(rows.numpy()))
    torch.testing.assert_close(times_upper(column_major, upper), rows @ upper)
    assert times_upper(rows[:0].clone(), upper).shape == (0, 37)
