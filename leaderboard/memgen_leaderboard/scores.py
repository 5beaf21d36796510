"""Scores of recoverable generalization: pure functions over readings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.protocol import INPUT, READOUT
from memgen_bench.store import latest

if TYPE_CHECKING:
    from collections.abc import Iterable

# How much of a data set is used and how far layers are reduced: other sizes, other cells.
_SIZES = ("train_count", "validation_count", "test_count", "max_layer_dim")
# One cell of the benchmark; seeds are repetitions within it.
CELL = ("dataset", "model", *_SIZES, "noise", "rate")
# One repetition of a cell.
UNIT = (*CELL, "seed", "noise_seed", "init_seed", "order_seed")
# A network that is not the memorized one is matched on what both have.
_DRAW = (*CELL, "seed", "noise_seed", "init_seed")
_CLEAN = ("dataset", "model", *_SIZES, "seed", "init_seed", "order_seed")

# Texts of few values: held as categories they are compared as fast as numbers.
NAMES = ("network_id", "dataset", "model", "noise", "kind", "labels", "decoder", "layer", "status")
# What scores are made from, beside the key.
COLUMNS = (
    *dict.fromkeys([*UNIT, *NAMES]),
    *("protocol_version", "memorized", "rankable", "decoder_version", "told_noise"),
    *("layer_index", "layer_depth", "test_accuracy", "validation_accuracy"),
    *("fit_seconds", "created"),
)

_DIGITS = 12  # means that differ by less are equal
LEAST_HEADROOM = 0.02  # recovery is undefined where ceiling and readout are closer than this
LEAST_COVERAGE = 0.95  # decoders that cover fewer units are listed without a rank


def current(readings: pl.DataFrame) -> pl.DataFrame:
    """Keep the newest protocol, network of each unit, and version and parameters of a decoder.

    A unit has several networks where the data, the model's version or the device changed.
    """
    if readings.is_empty():
        return readings
    newest = readings.filter(pl.col("protocol_version") == pl.col("protocol_version").max())
    same = ["network_id", *_SIZES, "noise", "rate", "noise_seed", "labels", "decoder", "layer"]
    rows = latest(newest, same, ["decoder_version", "created"])
    network = pl.col("network_id")
    return rows.filter(network == network.sort_by("created").last().over("kind", *UNIT))


def choose_layers(readings: pl.DataFrame) -> pl.DataFrame:
    """Choose a layer for each (cell, kind, labels, decoder) without looking at the test set.

    The layer with the highest noisy validation accuracy, averaged over the seeds, among the
    network's own layers: the input is a control and never eligible. Ties go to the earlier layer.
    Where no point was set aside for validation it is the last layer before the logits.

    Args:
        readings: Rows of any kind; only fine ones count.

    Returns:
        One row per group with columns `layer` and `chosen_by` (`validation` or `fixed`).
    """
    group = [*CELL, "kind", "labels", "decoder"]
    own = _fine(readings).filter(pl.col("layer") != INPUT, pl.col("decoder") != READOUT)
    layers = own.group_by([*group, "layer"]).agg(
        pl.col("validation_accuracy").mean().round(_DIGITS),
        pl.col("layer_index").first(),
        pl.col("layer_depth").first(),
    )
    fixed = pl.col("validation_accuracy").is_null()
    last_hidden = pl.when(pl.col("layer_depth") < 1).then(pl.col("layer_index"))
    return (
        layers.with_columns(
            merit=pl.when(fixed).then(last_hidden.fill_null(-1)).otherwise("validation_accuracy"),
            chosen_by=pl.when(fixed).then(pl.lit("fixed")).otherwise(pl.lit("validation")),
        )
        .sort(["merit", "layer_index"], descending=[True, False])
        .unique(group, keep="first", maintain_order=True)
        .select([*group, "layer", "chosen_by"])
        .sort(group)
    )


def oracle_layers(readings: pl.DataFrame) -> pl.DataFrame:
    """Choose the layer with the highest *test* accuracy, as the papers do; shown, never ranked."""
    on_test = readings.with_columns(validation_accuracy=pl.col("test_accuracy"))
    return choose_layers(on_test).drop("chosen_by")


def units(readings: pl.DataFrame) -> pl.DataFrame:
    """Return one row per decoder and memorized network: what it decodes, and the controls.

    Networks that did not memorize their labels are left out, clean ones too.

    Args:
        readings: Rows of one suite.

    Returns:
        Columns of `UNIT`, `decoder`, `layer`, `chosen_by`, `rankable`, and the test
        accuracies `decoded` (corrupted labels, chosen layer), `oracle` (layer chosen on test),
        `readout`, `ceiling` (readout of the clean network), `untrained` (the untrained network at
        its own chosen layer), `pixels` (the input layer), `clean` (the clean network, corrupted
        labels) and `true_labels` (fitted on true labels: a reference). What was not run is null.
    """
    return units_of_current(current(readings))


def units_of_current(readings: pl.DataFrame) -> pl.DataFrame:
    """Return `units` of rows that `current` returned."""
    rows = _fine(readings).filter(pl.col("memorized").fill_null(True))
    chosen = choose_layers(rows)
    corrupted, memorized = pl.col("labels") == "corrupted", pl.col("kind") == "memorized"
    at_chosen = rows.join(
        chosen, on=[*CELL, "kind", "labels", "decoder", "layer"], nulls_equal=True
    )
    frame = at_chosen.filter(memorized, corrupted).select(
        *UNIT,
        "decoder",
        "layer",
        "chosen_by",
        "rankable",
        "told_noise",
        "fit_seconds",
        decoded="test_accuracy",
    )
    at_oracle = rows.join(
        oracle_layers(rows), on=[*CELL, "kind", "labels", "decoder", "layer"], nulls_equal=True
    )
    pixels = rows.filter(memorized, corrupted, pl.col("layer") == INPUT)
    readout = rows.filter(pl.col("decoder") == READOUT)
    controls = [
        (at_oracle.filter(memorized, corrupted), [*UNIT, "decoder"], "oracle"),
        (pixels, [*UNIT, "decoder"], "pixels"),
        (at_chosen.filter(memorized, ~corrupted), [*UNIT, "decoder"], "true_labels"),
        (readout.filter(memorized), list(UNIT), "readout"),
        (readout.filter(pl.col("kind") == "clean"), list(_CLEAN), "ceiling"),
        (
            at_chosen.filter(corrupted, pl.col("kind") == "untrained"),
            [*_DRAW, "decoder"],
            "untrained",
        ),
        (at_chosen.filter(corrupted, pl.col("kind") == "clean"), [*UNIT, "decoder"], "clean"),
    ]
    for control, on, name in controls:
        values = control.select(*on, pl.col("test_accuracy").alias(name))
        frame = frame.join(values, on=on, how="left", nulls_equal=True, validate="m:1")
    return frame.with_columns(pl.col(pl.Categorical).cast(pl.String)).sort([*UNIT, "decoder"])


def recovery(frame: pl.DataFrame, by: Iterable[str]) -> pl.DataFrame:
    """Return R = Σ(decoded - readout) / Σ(ceiling - readout) of each group, not clipped.

    Args:
        frame: From `units`; only rows with readout and ceiling count.
        by: Columns that make the groups.

    Returns:
        The groups with a column `recovery`; null where ceiling and readout are on average closer
        than `LEAST_HEADROOM`.
    """
    headroom = pl.col("ceiling") - pl.col("readout")
    gained = pl.col("decoded") - pl.col("readout")
    return (
        frame.drop_nulls(["decoded", "readout", "ceiling"])
        .group_by(list(by), maintain_order=True)
        .agg(
            recovery=pl.when(headroom.mean() >= LEAST_HEADROOM).then(gained.sum() / headroom.sum())
        )
    )


def board(frame: pl.DataFrame) -> pl.DataFrame:
    """Rank decoders by recovery over memorized networks at rates that can be ranked.

    Args:
        frame: From `units`, of one suite.

    Returns:
        One row a decoder, the best first: `rank` (null below `LEAST_COVERAGE`, for decoders that
        are told the noise, and without a recovery), `decoder`, `recovery`, mean accuracies, gains
        in accuracy over the untrained network and over raw pixels, `coverage`, `units`.
    """
    eligible = frame.filter(pl.col("rankable"))
    total = eligible.select(UNIT).unique().height
    means = ("decoded", "oracle", "readout", "ceiling", "untrained", "pixels", "clean")
    table = eligible.group_by("decoder").agg(
        *(pl.col(name).mean() for name in (*means, "true_labels", "fit_seconds")),
        gain_untrained=(pl.col("decoded") - pl.col("untrained")).mean(),
        gain_pixels=(pl.col("decoded") - pl.col("pixels")).mean(),
        told_noise=pl.col("told_noise").any(),
        units=pl.len(),
        coverage=pl.len() / max(total, 1),
    )
    table = table.join(recovery(eligible, ["decoder"]), on="decoder", how="left")
    ranked = (
        (pl.col("coverage") >= LEAST_COVERAGE)
        & ~pl.col("told_noise")
        & pl.col("recovery").is_not_null()
    )
    place = pl.when(ranked).then(pl.col("recovery")).rank("min", descending=True)
    return table.with_columns(rank=place.cast(pl.Int64)).sort(
        ["rank", "recovery", "decoder"], descending=[False, True, False], nulls_last=True
    )


def by_rate(frame: pl.DataFrame) -> pl.DataFrame:
    """Return mean accuracy for each decoder and (noise, rate)."""
    return (
        frame.group_by("decoder", "noise", "rate")
        .agg(pl.col("decoded").mean(), pl.col("readout").mean(), pl.col("rankable").all())
        .sort("decoder", "noise", "rate")
    )


def _fine(readings: pl.DataFrame) -> pl.DataFrame:
    return readings.filter(pl.col("status") == "ok")
