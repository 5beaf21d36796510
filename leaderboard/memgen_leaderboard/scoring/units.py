"""Units: the accuracy of one decoder on one network, beside its controls; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.protocol import FEATURES, READOUT
from memgen_bench.results.store import latest
from memgen_leaderboard.scoring.controls import DRAW, REFERENCES, SOURCES, control_readings
from memgen_leaderboard.scoring.layer_choice import (
    CONDITION,
    SIZES,
    UNIT,
    choose_layers,
    oracle_layers,
)
from memgen_leaderboard.scoring.older_protocol import PIXELS, in_newer_form

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from memgen_bench.plan.suite import FittedOn, Kind, Labels

    # The kinds of networks, judged by whether they memorized their labels.
    ShownKind: TypeAlias = Kind | Literal["unmemorized", "unmemorized-clean"]

UNMEMORIZED, UNMEMORIZED_CLEAN = "unmemorized", "unmemorized-clean"

# The columns that a clean network, which no draw decides, shares with a unit.
_CLEAN = ("dataset", "model", *SIZES, "seed", "init_seed", "order_seed")

# Accuracies of which no interval is given.
_WITHOUT_BITS = ("oracle", "pixels", "untrained", "random", "clean", "true_labels")

# Text columns with few values; as categories they are compared as fast as numbers.
NAMES = (
    *("network_id", "dataset", "model", "noise", "kind", "labels", "fitted_on"),
    *("decoder", "layer", "status"),
)
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
    Readings at checkpoints are left out: see `at_checkpoints`. All are in the form of the newest
    protocol.
    """
    return _newest(readings.filter(pl.col("epoch").is_null()))


def at_checkpoints(readings: pl.DataFrame) -> pl.DataFrame:
    """Keep the newest readings at checkpoints, as `current` does; `epoch` names the checkpoint."""
    return _newest(readings.filter(pl.col("epoch").is_not_null()))


def _newest(readings: pl.DataFrame) -> pl.DataFrame:
    if readings.is_empty():
        return readings
    newest = readings.filter(pl.col("protocol_version") == pl.col("protocol_version").max())
    newest = in_newer_form(newest)
    same = ["network_id", "epoch", *SIZES, *DRAW, "labels", "fitted_on", "decoder", "layer"]
    rows = latest(newest, same, ["decoder_version", "created"])
    network = pl.col("network_id")
    return rows.filter(network == network.sort_by("created").last().over("kind", *UNIT))


def by_outcome(readings: pl.DataFrame) -> pl.DataFrame:
    """Mark networks `unmemorized` that were trained on noisy labels and did not memorize them.

    Clean ones are `unmemorized-clean`. Networks that were trained on random labels know nothing of
    the true ones, however far they came.

    Args:
        readings: Rows with a `kind` and `memorized`.
    """
    failed = ~pl.col("memorized").fill_null(True)
    kind, kind_type = pl.col("kind"), readings.schema["kind"]
    other = (
        pl.when(failed & (kind == "memorized"))
        .then(pl.lit(UNMEMORIZED))
        .when(failed & (kind == "clean"))
        .then(pl.lit(UNMEMORIZED_CLEAN))
    )
    return readings.with_columns(kind=other.otherwise(kind.cast(pl.String)).cast(kind_type))


def planned_networks(
    readings: pl.DataFrame, kind: ShownKind, labels: Labels, fitted_on: FittedOn
) -> pl.DataFrame:
    """Return the networks that decoders could be ranked on, including those with failed readings.

    Args:
        readings: Rows of one suite that `current` returned.
        kind: The networks to decode.
        labels: The labels that decoders are fitted on.
        fitted_on: The points that decoders are fitted on.

    Returns:
        A row for each network with its `model`, `dataset`, `noise`, `rate` and seeds.
    """
    draw = ["dataset", "noise", "rate"]
    rankable = pl.col("rankable").max().over(draw).fill_null(True)
    own = _selected(kind, labels, fitted_on)
    rows = by_outcome(readings).filter(rankable, own)
    return rows.select("network_id", "model", *draw, "noise_seed", "max_layer_dim").unique()


def _selected(kind: str, labels: str, fitted_on: str) -> pl.Expr:
    return (pl.col("kind") == kind) & (pl.col("labels") == labels) & _fitted(fitted_on)


def _fitted(fitted_on: str) -> pl.Expr:
    """Select a fitting; references are fitted on nothing, and stand beside each."""
    return (pl.col("fitted_on") == fitted_on) | pl.col("decoder").is_in(REFERENCES)


def units(
    readings: pl.DataFrame,
    kind: ShownKind = "memorized",
    labels: Labels = "corrupted",
    fitted_on: FittedOn = "training",
) -> pl.DataFrame:
    """Return the accuracy of each decoder on each network, with the controls.

    Args:
        readings: Rows of one suite that `current` returned.
        kind: The networks to decode, as `by_outcome` names them.
        labels: The labels that decoders are fitted on.
        fitted_on: The points that decoders are fitted on.

    Returns:
        Columns of `UNIT`, `decoder`, `layer`, `chosen_by`, `rankable`, `told_noise`, `saw_test`,
        `seconds` (fit and predictions), `validation`, the accuracy on noisy validation labels at
        the chosen layer, and the test accuracies `decoded` (at the chosen layer),
        `oracle` (layer chosen on test), `control` (the best control reading of the cell; see
        `controls`), `clean` (the same decoder on the clean network), `true_labels` (the same
        network, fitted on true labels: a reference), `readout` and `ceiling` (readout of the clean
        network). For comparison the same decoder on each source: `pixels`, `untrained` and
        `random`. Readings that were not run are null, and so is a network's comparison with
        itself. `decoded`, `control`, `readout` and `ceiling` have a column of bits beside them,
        such as `decoded_bits`: the test images that are right, packed, in test order.
    """
    rows = by_outcome(readings.filter(pl.col("status") == "ok"))
    own = _selected(kind, labels, fitted_on)
    group = [*UNIT, *CONDITION, "layer"]
    chosen = rows.filter(_fitted(fitted_on)).join(choose_layers(rows), on=group, nulls_equal=True)
    oracle = rows.filter(own).join(oracle_layers(rows), on=group, nulls_equal=True)
    frame = chosen.filter(own).select(
        *UNIT,
        *("network_id", "decoder", "layer", "chosen_by", "rankable", "told_noise"),
        pl.col("saw_test").fill_null(False),
        seconds=pl.col("fit_seconds") + pl.col("predict_seconds"),
        validation="validation_accuracy",
        decoded="test_accuracy",
        decoded_bits="test_correct",
    )
    draw = DRAW if labels == "corrupted" else ()
    others = chosen.filter(pl.col("kind") != kind, pl.col("labels") == labels)
    of_pixels = (pl.col("kind") == FEATURES) & (pl.col("model") == PIXELS)
    true_labels = chosen.filter(pl.col("kind") == kind, pl.col("labels") == "true")
    readout = rows.filter(pl.col("decoder") == READOUT)
    control = control_readings(rows, frame, labels, fitted_on).filter("is_best")
    control = control.cast({name: rows.schema[name] for name in UNIT})
    references = [
        ("oracle", oracle, [*UNIT, "decoder"]),
        ("pixels", others.filter(of_pixels), [*SOURCES[FEATURES], *draw, "decoder"]),
        *(
            (name, others.filter(pl.col("kind") == name), [*SOURCES[name], *draw, "decoder"])
            for name in ("untrained", "random")
        ),
        ("clean", others.filter(pl.col("kind") == "clean"), [*UNIT, "decoder"]),
        ("true_labels", true_labels, [*UNIT, "decoder"]),
        ("readout", readout, ["network_id", *SIZES]),
        ("ceiling", readout.filter(pl.col("kind") == "clean"), list(_CLEAN)),
        ("control", control, list(UNIT)),
    ]
    for name, reference, on in references:
        values = reference.select(
            *on, pl.col("test_accuracy").alias(name), pl.col("test_correct").alias(f"{name}_bits")
        )
        frame = frame.join(values, on=on, how="left", nulls_equal=True, validate="m:1")
    unused = [f"{name}_bits" for name in _WITHOUT_BITS]
    shown = frame.drop("network_id", *unused)
    return shown.with_columns(pl.col(pl.Categorical).cast(pl.String)).sort([*UNIT, "decoder"])
