"""How much memory the moments of a layer take, and in which form they take less; pure."""

from __future__ import annotations

# Points wait in so much room until there are enough of them to be added up.
WAITING_BYTES = 64 << 20


def keeps_points(count: int, dim: int, num_classes: int) -> bool:
    """Whether N×D float32 points take less room than K×D×D float64 sums for two kinds of labels."""
    return count <= 4 * num_classes * dim


def least_bytes(count: int, dim: int, num_classes: int) -> int:
    """Return the bytes that moments of N points take, both kinds of labels; 0 if kept as points."""
    if keeps_points(count, dim, num_classes):
        return 0
    return 8 * 3 * num_classes * dim**2 + WAITING_BYTES
