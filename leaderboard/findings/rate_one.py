"""Accuracy where given labels say nothing, at rate 1."""

from __future__ import annotations

import polars as pl

from findings.cells import CORE
from memgen_bench.protocol import FEATURES
from memgen_bench.results.store import read_frame


def at_rate_one() -> pl.DataFrame:
    """Return the mean accuracy at rate 1 for each data set, source and fitting."""
    columns = ["dataset", "model", "kind", "seed", "fitted_on", "decoder", "num_classes"]
    own = ["key", "rate", "status", "labels", "saw_test", "test_accuracy", *columns]
    rows = read_frame(CORE, "readings", own).filter(
        pl.col("rate") == 1,
        pl.col("status") == "ok",
        pl.col("labels") == "corrupted",
        ~pl.col("saw_test").fill_null(False),
    )
    source = pl.when(pl.col("kind") == FEATURES).then("model").otherwise("kind")
    by = ["dataset", "source", "fitted_on"]
    seeds = rows.with_columns(source=source, chance=1 / pl.col("num_classes"))
    means = seeds.group_by(*by, "chance", "seed").agg(pl.col("test_accuracy").mean())
    error = pl.col("test_accuracy").std() / pl.len().sqrt()
    accuracy = pl.col("test_accuracy").mean()
    found = means.group_by(*by, "chance").agg(accuracy=accuracy, error=error, seeds=pl.len())
    return found.sort(by)
