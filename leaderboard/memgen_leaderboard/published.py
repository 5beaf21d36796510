"""Published numbers beside one's own: reference rows of a board, and a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.errors import StoreError
from memgen_bench.protocol import INPUT, READOUT
from memgen_leaderboard.ranking import recovery

if TYPE_CHECKING:
    from collections.abc import Iterable

# Beside this file in an installed package, one folder up in a checkout.
_PLACES = (Path(__file__).parent, Path(__file__).parent.parent)
_RUNS = 3  # that the papers' printed means are over
_PAIR = ("model", "dataset")
_CELL = (*_PAIR, "noise", "rate")


def read_published() -> pl.DataFrame:
    """Return all published numbers; `leaderboard/published/README.md` explains the columns.

    Raises:
        StoreError: The file is not there.
    """
    for place in _PLACES:
        if (path := place / "published" / "published.parquet").is_file():
            return pl.read_parquet(path)
    raise StoreError("published/published.parquet is missing; install memgen-bench again")


def best_layers(published: pl.DataFrame) -> pl.DataFrame:
    """Return what was published of decoders fitted on corrupted labels, and of readouts.

    As in the papers, each decoder has the layer with the highest test accuracy, the mean over the
    runs; the input is not among the layers here. Accuracies by layer count before the means that
    the papers print, but for readouts, whose means of 2026 are those of the decoded networks.

    Returns:
        A row for each model, data set, noise, rate and decoder: `layer`, `accuracy`, `low` and
        `high` (over the runs; null where only their mean is printed) and `runs`. Readouts at rate
        0 are those of clean networks.
    """
    is_readout = (pl.col("decoder") == READOUT) & (pl.col("kind") != "untrained")
    is_decoded = (pl.col("labels") == "corrupted") & (pl.col("kind") == "memorized")
    rows = published.filter(is_readout | is_decoded, split="test").filter(pl.col("layer") != INPUT)
    of_decoded = is_readout & (pl.col("paper") == "ketha2026")
    place = pl.when(of_decoded).then(0).when(pl.col("run").is_not_null()).then(1).otherwise(2)
    group = [*_CELL, "decoder"]
    rows = rows.filter(place == place.min().over(group))
    accuracy, of_a_run = pl.col("accuracy"), pl.col("run").is_not_null()
    layers = rows.group_by(*group, "layer").agg(
        accuracy.mean(),
        low=accuracy.filter(of_a_run).min(),
        high=accuracy.filter(of_a_run).max(),
        runs=pl.when(of_a_run.any()).then(pl.col("run").n_unique()).otherwise(_RUNS),
    )
    best = layers.sort(-accuracy, "layer").unique(group, keep="first")
    return best.sort(group)


def references(best: pl.DataFrame, rates: Iterable[float]) -> pl.DataFrame:
    """Return the recovery of published decoders over some rates.

    Args:
        best: From `best_layers`.
        rates: Shuffle rates; a decoder without one of them is left out.

    Returns:
        `model`, `dataset`, `decoder`, `oracle` (mean accuracy at layers chosen on test), `readout`
        and `recovery`.
    """
    wanted = sorted(set(rates))
    readout = best.filter(pl.col("decoder") == READOUT)
    own = readout.filter(pl.col("rate") > 0).select(*_CELL, readout="accuracy")
    ceiling = readout.filter(pl.col("rate") == 0).select(*_PAIR, ceiling="accuracy")
    rows = (
        best.filter(pl.col("decoder") != READOUT, pl.col("rate").is_in(wanted))
        .with_columns(decoded="accuracy")
        .join(own, on=_CELL)
        .join(ceiling, on=_PAIR)
    )
    group = [*_PAIR, "decoder"]
    means = rows.group_by(group).agg(
        pl.col("readout").mean(), oracle=pl.col("decoded").mean(), rates=pl.len()
    )
    complete = means.filter(pl.col("rates") == len(wanted)).drop("rates")
    return complete.join(recovery(rows, group), on=group).sort(
        *_PAIR, -pl.col("recovery"), nulls_last=True
    )


def compare(units: pl.DataFrame, best: pl.DataFrame) -> pl.DataFrame:
    """Put own accuracies and published ones side by side, both at layers chosen on test.

    Args:
        units: From `units`, memorized networks on corrupted labels.
        best: From `best_layers`.

    Returns:
        A row for each model, data set, rate and decoder that both have: `own` (mean over the
        seeds), `own_low`, `own_high`, `seeds`, `published`, `published_low`, `published_high`,
        `runs`, `difference` (own - published), `inside` (whether the published mean lies between
        the lowest and the highest seed; null with one seed), and `train_count`, the images that
        own networks are trained on.
    """
    keys = [*_CELL, "decoder", "train_count"]
    readouts = units.unique([*_CELL, "train_count", "seed"]).with_columns(decoder=pl.lit(READOUT))
    ceilings = readouts.unique([*_PAIR, "train_count", "seed"]).with_columns(
        rate=pl.lit(0.0), noise=pl.lit("uniform"), oracle="ceiling"
    )
    rows = [units, readouts.with_columns(oracle="readout"), ceilings]
    oracle = pl.col("oracle")
    own = (
        pl.concat([frame.select(*keys, "seed", "oracle") for frame in rows])
        .drop_nulls("oracle")
        .group_by(keys)
        .agg(
            own=oracle.mean(),
            own_low=oracle.min(),
            own_high=oracle.max(),
            seeds=pl.col("seed").n_unique(),
        )
    )
    names = {"accuracy": "published", "low": "published_low", "high": "published_high"}
    inside = pl.col("published").is_between(pl.col("own_low"), pl.col("own_high"))
    return (
        own.join(best.rename(names), on=[*_CELL, "decoder"])
        .with_columns(
            difference=pl.col("own") - pl.col("published"),
            inside=pl.when(pl.col("seeds") > 1).then(inside),
        )
        .select(
            *("model", "dataset", "rate", "decoder", "train_count", "own", "own_low", "own_high"),
            *("seeds", "published", "published_low", "published_high", "runs"),
            *("difference", "inside"),
        )
        .sort("model", "dataset", "rate", "decoder", "train_count")
    )
