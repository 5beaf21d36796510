"""Files of data sets: written whole, or not at all."""

from __future__ import annotations

from memgen_bench.files.atomic import write_atomically

__all__ = ["write_atomically"]
