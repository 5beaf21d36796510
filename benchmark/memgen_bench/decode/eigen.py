"""Eigenproblems of second moments, which are positive semidefinite and often have one large axis.

Float64 eigenvectors cost twice as much as float32 ones, which alone are too coarse: their errors
are relative to the largest eigenvalue, and for activations this is the direction of the mean, far
above all others. So that direction is found and removed in float64, and the rest is solved in
float32. The leading eigenvalues are then computed again as Rayleigh quotients of the rest, whose
error is the square of an axis's error, and in which rounding averages out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import threadpoolctl
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    Solution = tuple[torch.Tensor, torch.Tensor]

# Below this size float64 costs next to nothing.
_SMALL = 128
# Most steps of the power method; more are needed only if no axis is far above the others.
_STEPS = 24
# The angle between an axis and its product at which the power method ends.
_ANGLE = 1e-9
# Eigenvalues are refined until they add up to more than this share of all, with a few to spare.
_REFINED, _SPARE = 0.99, 4
# Up to this size it pays to solve eigenproblems side by side.
SIDE_BY_SIDE = 1024


def eigh(matrix: torch.Tensor) -> Solution:
    """Return the eigenvalues and eigenvectors of a positive semidefinite matrix, largest first.

    Args:
        matrix: D×D, float64, symmetric.

    Returns:
        Eigenvalues (D, float64, not negative) and eigenvectors (columns, D×D, float32). The
        eigenvalues that make up 99 % of the trace are as precise as in float64, and the vectors as
        in float32; smaller eigenvalues are off by up to 1e-7 of the second largest.
    """
    if len(matrix) >= _SMALL and (found := _eigh_in_parts(matrix)):
        return found
    values, vectors = eigh64(matrix)
    return values.flip(0).clamp(min=0), vectors.float().flip(1)


def eigh_each(matrices: Sequence[torch.Tensor]) -> list[Solution]:
    """Solve several eigenproblems; on the CPU in parallel, with one thread for each."""
    if not matrices[0].is_cpu:
        return [eigh(matrix) for matrix in matrices]
    threads = torch.get_num_threads()
    with (
        _blas().limit(limits=1),
        ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1)) as pool,
    ):
        try:
            return list(pool.map(eigh, matrices))
        finally:
            torch.set_num_threads(threads)  # the pool's threads set it for all of MKL


def eigh64(matrix: torch.Tensor) -> Solution:
    """Return eigenvalues (ascending) and eigenvectors (columns) of a symmetric float64 matrix.

    Raises:
        LinAlgError: There is no finite solution, as the matrix is not finite itself.
    """
    if not matrix.is_cpu:
        values, vectors = torch.linalg.eigh(matrix)
    else:  # NumPy's is the faster one on the CPU
        values, vectors = map(torch.from_numpy, np.linalg.eigh(matrix.numpy()))
    if _all_finite(values, vectors):
        return values, vectors
    if not _all_finite(matrix):
        raise np.linalg.LinAlgError("the matrix of an eigenproblem is not finite")
    slow = scipy.linalg.eigh(matrix.cpu().numpy(), driver="ev")  # does not divide and conquer
    values, vectors = (torch.from_numpy(part).to(matrix.device) for part in slow)
    return values, vectors


def _all_finite(*tensors: torch.Tensor) -> bool:
    """Whether tensors hold numbers only: LAPACK may answer with NaN, and say nothing."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def _eigh_in_parts(matrix: torch.Tensor) -> Solution | None:
    """Solve for the largest axis and then for the others; None where this fails."""
    first = _largest(matrix)
    if first is None:
        return None
    size, axis = first
    along = torch.outer(axis, axis)
    rest = matrix - size * along
    # Without a shift the removed axis would be one of many with eigenvalue 0; so it is the last.
    try:
        values, vectors = torch.linalg.eigh((rest - rest.norm() * along).float())
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return None  # with many equal eigenvalues LAPACK's float32 routine may not converge
    if not _all_finite(values, vectors):
        return None  # ... or not say so
    values = torch.cat([size[None], values.flip(0)[:-1].double()]).clamp_(min=0)
    if values[1] > size:
        return None  # the power method began beside the largest axis, and found another
    vectors = torch.cat([axis.float()[:, None], vectors.flip(1)[:, :-1]], dim=1)
    share = values.cumsum(0) / matrix.trace()
    count = min(int((share <= _REFINED).sum()) + _SPARE, len(values))
    leading = vectors[:, 1:count]
    along_axes = ((rest.float() @ leading) * leading).sum(dim=0, dtype=torch.float64)
    values[1:count] = along_axes / leading.square().sum(dim=0, dtype=torch.float64)
    return values.sort(descending=True, stable=True)[0], vectors


def _largest(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return the largest eigenvalue and its axis by the power method, or None."""
    axis = matrix.sum(dim=0)
    for _ in range(_STEPS):
        size = torch.linalg.vector_norm(axis)
        if float(size) == 0:
            return None
        before, axis = axis / size, matrix @ (axis / size)
        value = before @ axis
        if float(torch.linalg.vector_norm(axis - value * before)) <= _ANGLE * float(value):
            return value, before
    return None


@cache
def _blas() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController().select(user_api="blas")
