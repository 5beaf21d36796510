"""Published numbers beside one's own: reference rows of a board, and a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.errors import StoreError
from memgen_bench.protocol import INPUT, READOUT
from memgen_leaderboard.scoring.layer_choice import CONDITION, UNIT, oracle_layers
from memgen_leaderboard.scoring.ranking import scored

if TYPE_CHECKING:
    from collections.abc import Iterable

# Beside this file in an installed package, one folder up in a checkout.
_PLACES = (Path(__file__).parents[1], Path(__file__).parents[2])
_RUNS = 3  # behind each mean that the papers print
_PAIR = ("model", "dataset")
_CELL = (*_PAIR, "noise", "rate")
_DECODED = (*_PAIR, "kind", "noise", "rate", "decoder")


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
    """Return published accuracies of readouts, and of decoders fitted on corrupted labels.

    As in the papers, each decoder has the layer with the highest mean test accuracy over the runs;
    the input does not count as a layer. Accuracies of single runs take precedence over the means
    that the papers print. For readouts the means of 2026 come first: they are of the networks that
    were decoded.

    Returns:
        A row for each model, data set, kind, noise, rate and decoder: `layer`, `accuracy`, `low`
        and `high` (over the runs; null where only their mean is printed) and `runs`. At rate 0
        networks are clean or untrained, and no label is corrupted.
    """
    is_readout = (pl.col("decoder") == READOUT) & (pl.col("kind") != "untrained")
    is_decoded = pl.col("labels") == "corrupted"
    rows = published.filter(is_readout | is_decoded, split="test").filter(pl.col("layer") != INPUT)
    of_decoded = is_readout & (pl.col("paper") == "ketha2026")
    place = pl.when(of_decoded).then(0).when(pl.col("run").is_not_null()).then(1).otherwise(2)
    group = list(_DECODED)
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
    is_decoded = (pl.col("decoder") != READOUT) & (pl.col("kind") == "memorized")
    rows = (
        best.filter(is_decoded, pl.col("rate").is_in(wanted))
        .with_columns(decoded="accuracy")
        .join(own, on=_CELL)
        .join(ceiling, on=_PAIR)
    )
    group = [*_PAIR, "decoder"]
    means = rows.group_by(group).agg(
        pl.col("readout").mean(), oracle=pl.col("decoded").mean(), rates=pl.len()
    )
    complete = means.filter(pl.col("rates") == len(wanted)).drop("rates")
    found = scored(rows.with_columns(control=pl.lit(None, pl.Float64)), group)
    return complete.join(found.select(*group, "recovery"), on=group).sort(
        *_PAIR, -pl.col("recovery"), nulls_last=True
    )


def compare(readings: pl.DataFrame, best: pl.DataFrame) -> pl.DataFrame:
    """Put own accuracies and published ones side by side, both at layers chosen on test.

    Both include networks that did not memorize their labels.

    Args:
        readings: Rows of one suite that `units.current` returned.
        best: From `best_layers`.

    Returns:
        A row for each model, data set, kind, rate and decoder that both have: `own` (mean over the
        seeds), `own_low`, `own_high`, `seeds`, `memorized` (number of seeds that did; null for
        untrained networks), `published`, `published_low`, `published_high`, `runs`, `difference`
        (own - published), `inside` (whether the published mean lies between the lowest and the
        highest seed; null with one seed), and `train_count`, the images that own networks are
        trained on.
    """
    keys = [*_DECODED, "train_count"]
    accuracy = pl.col("test_accuracy")
    own = (
        _at_oracle_layers(readings)
        .group_by(keys)
        .agg(
            own=accuracy.mean(),
            own_low=accuracy.min(),
            own_high=accuracy.max(),
            seeds=pl.col("seed").n_unique(),
            memorized=pl.when(pl.col("memorized").is_not_null().any()).then(
                pl.col("seed").filter("memorized").n_unique()
            ),
        )
    )
    names = {"accuracy": "published", "low": "published_low", "high": "published_high"}
    inside = pl.col("published").is_between(pl.col("own_low"), pl.col("own_high"))
    return (
        own.join(best.rename(names), on=list(_DECODED))
        .with_columns(
            difference=pl.col("own") - pl.col("published"),
            inside=pl.when(pl.col("seeds") > 1).then(inside),
        )
        .select(
            *(*_PAIR, "kind", "rate", "decoder", "train_count", "own", "own_low", "own_high"),
            *("seeds", "memorized", "published", "published_low", "published_high", "runs"),
            *("difference", "inside"),
        )
        .sort(*_PAIR, "kind", "rate", "decoder", "train_count")
    )


def _at_oracle_layers(readings: pl.DataFrame) -> pl.DataFrame:
    """Return readouts, and each decoder on corrupted labels at the layer that is best on test.

    At rate 0 no label is corrupted and the noise has no name; the papers call it uniform.
    """
    fine = readings.filter(pl.col("status") == "ok")
    fitted = pl.when(pl.col("rate") > 0).then(pl.lit("corrupted")).otherwise(pl.lit("true"))
    decoded = fine.filter(pl.col("decoder") != READOUT, pl.col("labels") == fitted)
    group = [*UNIT, *CONDITION, "layer"]
    best = decoded.join(oracle_layers(decoded, pooled=True), on=group, how="semi", nulls_equal=True)
    rows = pl.concat([best, fine.filter(pl.col("decoder") == READOUT)])
    named = rows.with_columns(pl.col(pl.Categorical).cast(pl.String))
    return named.with_columns(pl.col("noise").fill_null("uniform"))
