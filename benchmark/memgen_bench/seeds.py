"""Independent random streams, all derived from one seed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# A stream's place in this list is part of the protocol: append, never reorder.
PURPOSES = (
    *("split", "noise", "validation_noise", "init", "order", "decoder", "sample"),
    *("held_out_noise", "features", "statistics"),
)


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one purpose.

    Args:
        seed: A non-negative integer.
        purpose: One of `PURPOSES`.
    """
    return np.random.default_rng(_sequence(seed, purpose))


@lru_cache(maxsize=1024)
def integer(seed: int, purpose: str) -> int:
    """Return an integer below 2³¹ for libraries that take a seed rather than a stream."""
    return int(_sequence(seed, purpose).generate_state(1)[0] >> 1)


def _sequence(seed: int, purpose: str) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(PURPOSES.index(purpose),))
