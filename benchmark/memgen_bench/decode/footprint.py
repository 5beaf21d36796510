"""The memory of a layer's moments, and the form in which they take less; pure."""

from __future__ import annotations

# The size of the buffer in which points wait to be added up together.
WAITING_BYTES = 64 << 20


def keeps_points(count: int, dim: int, num_classes: int) -> bool:
    """Tell whether N×D float32 points are smaller than K×D×D float64 sums for two label kinds."""
    return count <= 4 * num_classes * dim


def least_bytes(count: int, dim: int, num_classes: int) -> int:
    """Return the bytes of moments of N points for both kinds of labels; 0 if kept as points."""
    if keeps_points(count, dim, num_classes):
        return 0
    return 8 * 3 * num_classes * dim**2 + WAITING_BYTES
