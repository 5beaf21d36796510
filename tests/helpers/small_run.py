"""A small run as a function of a module, so that another process can be told to call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import memgen_bench
from helpers.forking import fork_children
from memgen_bench.plan.suite import Suite

if TYPE_CHECKING:
    from pathlib import Path

SUITE = Suite.model_validate(
    {
        "name": "tiny",
        "version": 1,
        "models": ["mlp"],
        "datasets": ["digits"],
        "rates": [0.0, 0.4],
        "kinds": ["memorized", "clean", "untrained"],
        "decoders": ["masc", "ncm"],
        "train_size": 120,
        "test_size": 60,
        "validation_fraction": 0.25,
        "max_layer_dim": 32,
    }
)
THREE_RATES = SUITE.replace({"rates": (0.0, 0.4, 0.8)})


def run(folder: Path, engine: str = "serial", **options: Any) -> None:
    """Run the suite with three rates, in this process as a rule, and see that all is ok."""
    summary = memgen_bench.run(
        THREE_RATES,
        engine=engine,
        results=folder / "results",
        cache_dir=folder / "cache",
        **options,
    )
    assert summary.ok == summary.planned


def run_with_resume_files(folder: Path) -> None:
    """Run it with a resume file after each epoch."""
    run(folder, resume_minutes=0)


def run_by_children(folder: Path, **options: Any) -> None:
    """Run it by a child that is forked; for a process that was forked itself."""
    fork_children()
    run(folder, engine="processes", jobs=1, **options)


def run_by_children_with_resume_files(folder: Path) -> None:
    """Run it so with a resume file after each epoch."""
    run_by_children(folder, resume_minutes=0)
