"""How far given wrong labels can be read from training activations, by layer."""

from __future__ import annotations

import polars as pl

from findings.cells import CELL, CORE
from memgen_bench.protocol import LOGITS
from memgen_bench.results.store import read_frame

LEAKY = "lda-shrunk"  # reads a given wrong label where it can be read linearly
KINDS = ("memorized", "untrained")


def read(columns: list[str]) -> pl.DataFrame:
    """Return columns of the readings of one decoder, on memorized and untrained networks.

    Untrained networks count where the memorized network of the same seed does.
    """
    own = ["key", *CELL, "seed", "kind", "labels", "decoder", "status", "memorized", *columns]
    rows = read_frame(CORE, "readings", list(dict.fromkeys(own))).filter(
        pl.col("decoder") == LEAKY,
        pl.col("status") == "ok",
        pl.col("kind").is_in(KINDS),
        pl.col("labels") == "corrupted",
        pl.col("memorized").fill_null(True),
    )
    same = rows.filter(kind="memorized").select(*CELL, "seed").unique()
    return rows.join(same, on=[*CELL, "seed"], how="semi")


def leak() -> pl.DataFrame:
    """Return how often wrongly labelled training points are read as their given label.

    Returns:
        For each cell, kind of network and layer: `given`, the share of wrongly labelled training
        points that the decoder gives their wrong label, less the share that it gives the true one,
        of at most 1,000 training points.
    """
    columns = ["seed", "train_accuracy_given", "train_accuracy_true", "fitted_on"]
    rows = read([*columns, "layer", "layer_depth"]).filter(fitted_on="training")
    more = pl.col("train_accuracy_given") - pl.col("train_accuracy_true")
    both = rows.join(_wrong(), on=["dataset", "rate", "seed"])
    group = [*CELL, "kind", "layer", "layer_depth"]
    return both.group_by(group).agg(given=(more / pl.col("wrong")).mean()).sort(group)


def _wrong() -> pl.DataFrame:
    """Return the share of wrong labels among the training points on which accuracy is taken.

    A reading that has all given labels right has this share of the true ones wrong.
    """
    own = ["key", "dataset", "rate", "seed", "fitted_on", "status", "labels", "realised_rate"]
    rows = read_frame(CORE, "readings", [*own, "train_accuracy_given", "train_accuracy_true"])
    rows = rows.filter(
        pl.col("fitted_on") == "training",
        pl.col("labels") == "corrupted",
        pl.col("train_accuracy_given").is_not_null(),
        pl.col("rate") > 0,
    )
    perfect = pl.col("train_accuracy_given") == 1
    found = (1 - pl.col("train_accuracy_true")).filter(perfect).first()
    groups = rows.group_by("dataset", "rate", "seed")
    return groups.agg(wrong=pl.coalesce(found, pl.col("realised_rate").first()))


def last_hidden() -> pl.DataFrame:
    """Return the accuracy of a decoder on the last hidden layer, by kind and `fitted_on`."""
    rows = read(["layer", "layer_depth", "fitted_on", "test_accuracy"])
    hidden = rows.filter(pl.col("layer") != LOGITS)
    last = hidden.filter(pl.col("layer_depth") == pl.col("layer_depth").max().over(CELL))
    named = last.with_columns(fit=pl.concat_str("kind", "fitted_on", separator=" "))
    return named.pivot(on="fit", index=CELL, values="test_accuracy", aggregate_function="mean")
