"""Parts for engines: run settings, rows, child processes, cached networks, versions."""

from __future__ import annotations

from memgen_bench.errors import one_line
from memgen_bench.files.atomic import write_atomically
from memgen_bench.files.places import network_dir
from memgen_bench.hashing import file_digest
from memgen_bench.messages import Row, RunSettings
from memgen_bench.network.cache_files import network_entry
from memgen_bench.plan.plan import PlannedNetwork
from memgen_bench.results.environment import code_commit, versions
from memgen_bench.results.store import table
from memgen_bench.workers.child import Children
from memgen_bench.workers.in_child import InChild

__all__ = [
    "Children",
    "InChild",
    "PlannedNetwork",
    "Row",
    "RunSettings",
    "code_commit",
    "file_digest",
    "network_dir",
    "network_entry",
    "one_line",
    "table",
    "versions",
    "write_atomically",
]
