"""Triangular matrices: SciPy's BLAS and LAPACK have routines for them, at half the work."""

from __future__ import annotations

import torch
from scipy.linalg.blas import get_blas_funcs
from scipy.linalg.lapack import dpotrf, dtrtri

from memgen_bench.toolkit.decoders import best_by_scipy


def whitened(covariance: torch.Tensor) -> tuple[torch.Tensor, float] | None:
    """Return the whitening of a covariance, and the logarithm of the root of its determinant.

    Args:
        covariance: C, D×D, float64, symmetric; it is overwritten.

    Returns:
        W with Wᵀ C W = 1, upper triangular, D×D, float64, and log √|C|; None where C is not
        positive definite.
    """
    if best_by_scipy(covariance):
        # What is lower triangular in LAPACK's order of columns is upper triangular in ours.
        factor, info = dpotrf(covariance.numpy().T, lower=True, clean=True, overwrite_a=True)
        diagonal = torch.from_numpy(factor.diagonal().copy())
        if info:
            return None
        inverse, _ = dtrtri(factor, lower=True, overwrite_c=True)
        return torch.from_numpy(inverse.T), float(diagonal.log().sum())
    found = torch.linalg.cholesky_ex(covariance)
    if int(found.info):
        return None
    unit = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    upper = torch.linalg.solve_triangular(found.L, unit, upper=False).T
    return upper, float(found.L.diagonal().log().sum())


def upper_factor(matrix: torch.Tensor) -> torch.Tensor | None:
    """Return the Cholesky factor U of a symmetric matrix, UᵀU, or None where it is not positive.

    Args:
        matrix: D×D, float64; it is overwritten.
    """
    if best_by_scipy(matrix):
        factor, info = dpotrf(matrix.numpy().T, lower=True, clean=True, overwrite_a=True)
        return None if info else torch.from_numpy(factor.T)
    found = torch.linalg.cholesky_ex(matrix, upper=True)
    upper: torch.Tensor = found.L
    return None if int(found.info) else upper


def solved(matrix: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the solution of a system whose matrix is symmetric and, up to rounding, positive.

    Args:
        matrix: D×D, float64.
        right: D×P.
    """
    if (factor := upper_factor(matrix.clone())) is None:
        found: torch.Tensor = torch.linalg.solve(matrix, right)
        return found
    found = torch.linalg.solve_triangular(factor.T, right, upper=False)
    solution: torch.Tensor = torch.linalg.solve_triangular(factor, found, upper=True)
    return solution


def times_upper(rows: torch.Tensor, upper: torch.Tensor) -> torch.Tensor:
    """Return the product of rows (N×D, overwritten) and an upper triangular matrix (D×D)."""
    if not best_by_scipy(rows):
        return rows @ upper
    factors = upper.contiguous().numpy().T, rows.contiguous().numpy().T
    product = get_blas_funcs("trmm", factors)
    return torch.from_numpy(product(1.0, *factors, lower=True, overwrite_b=True).T)
