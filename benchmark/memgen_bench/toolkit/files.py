"""Files of plugins: named by users, hashed, and written whole or not at all."""

from __future__ import annotations

from memgen_bench.errors import one_line
from memgen_bench.files.atomic import write_atomically
from memgen_bench.files.places import named_path
from memgen_bench.hashing import file_digest

__all__ = ["file_digest", "named_path", "one_line", "write_atomically"]
