"""Least squares with weights that are not negative, given as a quadratic form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_RIDGE = 1e-6  # on the diagonal: of parts that coincide each gets a share


def nonnegative_weights(gram: Floats, aim: Floats) -> Floats:
    """Return the weights θ ≥ 0 that minimise θᵀGθ/2 − θᵀa, S.

    Args:
        gram: G, the products of the parts with each other, S×S, with a diagonal of about 1.
        aim: a, their products with what they are to add up to, S.
    """
    root = np.linalg.cholesky(gram + _RIDGE * np.eye(len(gram)))
    weights: Floats = nnls(root.T, np.linalg.solve(root, aim))[0]
    return weights
