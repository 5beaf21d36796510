"""The command line as tests call it, and the workplace of a tiny suite."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from memgen_bench import read_results

SCRIPT = Path(sys.executable).with_name("memgen-bench")
WIDE = {"COLUMNS": "200"}  # tables that are not folded
SUITE = """
name = "tiny"
version = 1
datasets = ["digits"]
models = ["mlp"]
rates = [0.4]
kinds = ["memorized", "clean", "untrained"]
seeds = [1]  # of which the network memorizes all wrong labels
decoders = ["masc", "ncm"]
train_size = 300
test_size = 100
validation_fraction = 0.2
max_layer_dim = 0
"""


class Completed(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


CommandLine = Callable[..., Completed]


@dataclass(frozen=True)
class Workplace:
    """A tiny suite, its results, and the networks that were trained for them."""

    folder: Path

    @property
    def suite(self) -> Path:
        return self.folder / "tiny.toml"

    @property
    def results(self) -> Path:
        return self.folder / "memgen-results"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def run(self, *options: str) -> list[str]:
        """Return the command that runs the suite here."""
        places = ["--results", str(self.results), "--cache-dir", str(self.cache)]
        return ["run", "--suite", str(self.suite), *places, "--engine", "serial", *options]

    def parts(self, name: str) -> dict[Path, bytes]:
        """Return the parts of a table with their contents."""
        return {path: path.read_bytes() for path in (self.results / name).iterdir()}


def memgen(*arguments: str) -> Completed:
    """Run the installed console script in a process of its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MEMGEN_")}
    done = subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, env=inherited | WIDE, check=False
    )
    return Completed(done.returncode, done.stdout, done.stderr)


def rows(results: Path) -> list[dict[str, Any]]:
    """Return the readings that count, in the order of their keys."""
    found: list[dict[str, Any]] = read_results(results).to_pylist()
    return sorted(found, key=lambda row: str(row["key"]))
