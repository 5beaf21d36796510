"""Types of arrays, named by their contents."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]
"""N×C×H×W, exactly as a network sees them."""

LabelVector = npt.NDArray[np.int64]
"""N class numbers, 0..K-1."""

Matrix = npt.NDArray[np.float32]
"""N×D activations, a row for each point."""

Transition = npt.NDArray[np.float64]
"""K×K probabilities P[true, given]; rows add up to 1."""

Index = npt.NDArray[np.int64]
"""Positions of points."""
