"""Units: the accuracy of one decoder on one network, beside its controls; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.protocol import INPUT, READOUT
from memgen_bench.results.store import latest
from memgen_leaderboard.scoring.layer_choice import CELL, SIZES, choose_layers, oracle_layers

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from memgen_bench.plan.suite import Kind, Labels

    # The kinds of networks, judged by whether they memorized their labels.
    ShownKind: TypeAlias = Kind | Literal["unmemorized"]

UNMEMORIZED = "unmemorized"

# One repetition of a cell.
UNIT = (*CELL, "seed", "noise_seed", "init_seed", "order_seed")
# The columns that clean and untrained networks share with a unit.
_START = ("dataset", "model", *SIZES, "seed", "init_seed")
_CLEAN = (*_START, "order_seed")
_DRAW = (*_START, "noise", "rate", "noise_seed")

# Text columns with few values; as categories they are compared as fast as numbers.
NAMES = ("network_id", "dataset", "model", "noise", "kind", "labels", "decoder", "layer", "status")
# The columns that scores are computed from, beside the key.
COLUMNS = (
    *dict.fromkeys([*UNIT, *NAMES]),
    *("protocol_version", "memorized", "rankable", "decoder_version", "told_noise", "saw_test"),
    *("layer_index", "layer_depth", "test_accuracy", "test_correct", "validation_accuracy"),
    *("fit_seconds", "predict_seconds", "created", "epoch"),
)


def current(readings: pl.DataFrame) -> pl.DataFrame:
    """Keep the newest protocol, network of each unit, and version and parameters of a decoder.

    A unit has several networks where the data, the model's version or the device changed.
    Readings at checkpoints are left out: see `at_checkpoints`.
    """
    return _newest(readings.filter(pl.col("epoch").is_null()))


def at_checkpoints(readings: pl.DataFrame) -> pl.DataFrame:
    """Keep the newest readings at checkpoints, as `current` does; `epoch` names the checkpoint."""
    return _newest(readings.filter(pl.col("epoch").is_not_null()))


def _newest(readings: pl.DataFrame) -> pl.DataFrame:
    if readings.is_empty():
        return readings
    newest = readings.filter(pl.col("protocol_version") == pl.col("protocol_version").max())
    draw = ("noise", "rate", "noise_seed")
    same = ["network_id", "epoch", *SIZES, *draw, "labels", "decoder", "layer"]
    rows = latest(newest, same, ["decoder_version", "created"])
    network = pl.col("network_id")
    return rows.filter(network == network.sort_by("created").last().over("kind", *UNIT))


def by_outcome(readings: pl.DataFrame) -> pl.DataFrame:
    """Mark networks `unmemorized` that were trained on noisy labels and did not memorize them.

    Clean networks that did not memorize their labels are left out.

    Args:
        readings: Rows with a `kind` and `memorized`.
    """
    failed = ~pl.col("memorized").fill_null(True)
    meant_to = pl.col("kind") == "memorized"
    unmemorized = pl.lit(UNMEMORIZED).cast(readings.schema["kind"])
    kept = readings.filter(~failed | meant_to)
    return kept.with_columns(kind=pl.when(failed).then(unmemorized).otherwise("kind"))


def planned_networks(readings: pl.DataFrame, kind: ShownKind, labels: Labels) -> pl.DataFrame:
    """Return the networks that decoders could be ranked on, including those with failed readings.

    Args:
        readings: Rows of one suite that `current` returned.
        kind: The networks to decode.
        labels: The labels that decoders are fitted on.

    Returns:
        A row for each network with its `model`, `dataset`, `noise`, `rate` and seeds.
    """
    draw = ["dataset", "noise", "rate"]
    rankable = pl.col("rankable").max().over(draw).fill_null(True)
    own = (pl.col("kind") == kind) & (pl.col("labels") == labels)
    rows = by_outcome(readings).filter(rankable, own)
    return rows.select("network_id", "model", *draw, "noise_seed", "max_layer_dim").unique()


def units(
    readings: pl.DataFrame, kind: ShownKind = "memorized", labels: Labels = "corrupted"
) -> pl.DataFrame:
    """Return the accuracy of each decoder on each network, with the controls.

    Args:
        readings: Rows of one suite that `current` returned.
        kind: The networks to decode, as `by_outcome` names them.
        labels: The labels that decoders are fitted on.

    Returns:
        Columns of `UNIT`, `decoder`, `layer`, `chosen_by`, `rankable`, `told_noise`, `saw_test`,
        `seconds` (fit and predictions), and the test accuracies `decoded` (at the chosen layer),
        `oracle` (layer chosen on test), `pixels` (the input layer), `untrained` (the untrained
        network at its own chosen layer), `clean` (the clean network, likewise), `true_labels` (the
        same network, fitted on true labels: a reference), `readout` and `ceiling` (readout of the
        clean network). Readings that were not run are null, and so is a network's comparison with
        itself. `decoded`, `pixels`, `untrained`, `readout` and `ceiling` have a column of bits
        beside them, such as `decoded_bits`: the test images that are right, packed, in test order.
    """
    rows = by_outcome(readings.filter(pl.col("status") == "ok"))
    own = (pl.col("kind") == kind) & (pl.col("labels") == labels)
    group = [*CELL, "kind", "labels", "decoder", "layer"]
    chosen = rows.join(choose_layers(rows), on=group, nulls_equal=True)
    oracle = rows.filter(own).join(oracle_layers(rows), on=group, nulls_equal=True)
    frame = chosen.filter(own).select(
        *UNIT,
        *("network_id", "decoder", "layer", "chosen_by", "rankable", "told_noise"),
        pl.col("saw_test").fill_null(False),
        seconds=pl.col("fit_seconds") + pl.col("predict_seconds"),
        decoded="test_accuracy",
        decoded_bits="test_correct",
    )
    draw = _DRAW if labels == "corrupted" else _START
    others = chosen.filter(pl.col("kind") != kind, pl.col("labels") == labels)
    true_labels = chosen.filter(pl.col("kind") == kind, pl.col("labels") == "true")
    readout = rows.filter(pl.col("decoder") == READOUT)
    ceiling = readout.filter(pl.col("kind") == "clean")
    controls = [
        ("oracle", oracle, [*UNIT, "decoder"]),
        ("pixels", rows.filter(own, pl.col("layer") == INPUT), [*UNIT, "decoder"]),
        ("untrained", others.filter(pl.col("kind") == "untrained"), [*draw, "decoder"]),
        ("clean", others.filter(pl.col("kind") == "clean"), [*UNIT, "decoder"]),
        ("true_labels", true_labels, [*UNIT, "decoder"]),
        ("readout", readout, ["network_id", *SIZES]),
        ("ceiling", ceiling, list(_CLEAN)),
    ]
    for name, control, on in controls:
        values = control.select(
            *on, pl.col("test_accuracy").alias(name), pl.col("test_correct").alias(f"{name}_bits")
        )
        frame = frame.join(values, on=on, how="left", nulls_equal=True, validate="m:1")
    shown = frame.drop("network_id", "oracle_bits", "clean_bits", "true_labels_bits")
    return shown.with_columns(pl.col(pl.Categorical).cast(pl.String)).sort([*UNIT, "decoder"])
