"""Numerics for decoders: class moments, shared neighbours, eigenproblems, tensors."""

from __future__ import annotations

from memgen_bench.compute import as_tensor, best_by_scipy, blocks
from memgen_bench.decode.eigen import eigh64
from memgen_bench.decode.moments import Moments, moments_of
from memgen_bench.decode.neighbors import Neighbors
from memgen_bench.decode.scratch import Scratch
from memgen_bench.plugin.parameters import taken

__all__ = [
    "Moments",
    "Neighbors",
    "Scratch",
    "as_tensor",
    "best_by_scipy",
    "blocks",
    "eigh64",
    "moments_of",
    "taken",
]
