"""The choice of a decoder's layer without the test set, and its cost against the best layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import polars as pl

from memgen_bench.protocol import FEATURES, READOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

# Sizes of the parts of a data set, and the width of layers: other sizes make other cells.
SIZES = ("train_count", "held_out_count", "validation_count", "test_count", "max_layer_dim")
# One cell of the benchmark; seeds are repetitions within it.
CELL = ("dataset", "model", *SIZES, "noise", "rate")
# One repetition of a cell.
UNIT = (*CELL, "seed", "noise_seed", "init_seed", "order_seed")

# `network` looks at one network, `cell` pools the seeds, `rates` the rates too, and `penultimate`
# looks at no accuracy.
Rule = Literal["network", "cell", "rates", "penultimate"]
RULES: tuple[Rule, ...] = get_args(Rule)
# What a decoder is read under, beside the cell and the seeds.
CONDITION = ("kind", "labels", "fitted_on", "decoder")
DIGITS = 12  # means that differ by less are equal


def choose_layers(readings: pl.DataFrame, rule: Rule = "network") -> pl.DataFrame:
    """Choose a decoder's layer in each network without looking at the test set.

    The chosen layer has the highest accuracy on noisy validation labels among the network's own
    layers. Ties go to the earlier layer. Without validation points it is the last layer before the
    logits.

    Args:
        readings: Rows of any kind; only those with status `ok` count.
        rule: `network` is the board's: each network's own accuracies decide. `cell` averages over
            the seeds, and leaves out layers that were read in fewer networks than others; `rates`
            averages over all rates at which readings can be ranked, too; `penultimate` takes the
            last layer before the logits.

    Returns:
        One row for each unit, kind, labels, fitting and decoder, with columns `layer` and
        `chosen_by` (`validation` or `fixed`).
    """
    layers = _layers(readings)
    validation = pl.col("validation_accuracy")
    of_rates = validation.filter("rankable").mean().over(_pooled(without="rate"))
    merit = {
        "network": validation,
        "cell": validation.mean().over(_pooled()),
        "rates": of_rates,
        "penultimate": pl.lit(None, pl.Float64),
    }[rule]
    if rule in ("cell", "rates"):
        layers = _read_everywhere(layers)
    return _best(layers, merit)


def oracle_layers(readings: pl.DataFrame, *, pooled: bool = False) -> pl.DataFrame:
    """Choose the layer with the highest *test* accuracy; never ranked.

    Args:
        readings: Rows of any kind; only those with status `ok` count.
        pooled: Whether the mean over the seeds of a cell decides, as in the papers, or each
            network's own accuracy.
    """
    layers, accuracy = _layers(readings), pl.col("test_accuracy")
    if pooled:
        layers, accuracy = _read_everywhere(layers), accuracy.mean().over(_pooled())
    return _best(layers, accuracy).drop("chosen_by")


def regret(readings: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the test accuracy that each rule loses to the oracle layer, on corrupted labels.

    Args:
        readings: Rows of any kind; only those with status `ok` at rates that can be ranked count.
        by: Columns of `UNIT` and `decoder` that make groups, beside the kind of network.

    Returns:
        A row for each group and rule: `kind`, `rule`, `oracle` and `accuracy` (means over networks
        and decoders), their difference `regret`, the largest one of a cell, `worst`, and
        `choices`, the number of layers that were chosen.
    """
    layers = _layers(readings).filter("rankable", pl.col("labels") == "corrupted")
    layers = layers.filter(pl.col("kind") != FEATURES)  # they have no layers to choose from
    oracle = layers.group_by(*UNIT, *CONDITION).agg(oracle=pl.col("test_accuracy").max())
    found = []
    for rule in RULES:
        chosen = choose_layers(readings, rule)
        at_chosen = layers.join(chosen, on=[*UNIT, *CONDITION, "layer"], nulls_equal=True)
        units = at_chosen.join(oracle, on=[*UNIT, *CONDITION], nulls_equal=True)
        lost = pl.col("oracle") - pl.col("test_accuracy")
        units = units.with_columns(lost=lost, of_cell=lost.mean().over(*CELL, *CONDITION))
        found.append(
            units.group_by("kind", *by).agg(
                pl.col("oracle").mean(),
                accuracy=pl.col("test_accuracy").mean(),
                regret=pl.col("lost").mean(),
                worst=pl.col("of_cell").max(),
                choices=pl.len(),
                rule=pl.lit(rule),
            )
        )
    order = pl.col("rule").replace_strict({rule: place for place, rule in enumerate(RULES)})
    return pl.concat(found).sort("kind", *by, order)


def _layers(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the readings that a layer is chosen by."""
    return readings.filter(pl.col("status") == "ok", pl.col("decoder") != READOUT).select(
        *(*UNIT, *CONDITION, "layer", "layer_index", "layer_depth", "rankable"),
        pl.col("validation_accuracy", "test_accuracy").round(DIGITS),
    )


def _pooled(without: str = "") -> list[str]:
    return [name for name in (*CELL, *CONDITION, "layer") if name != without]


def _read_everywhere(layers: pl.DataFrame) -> pl.DataFrame:
    """Leave out layers that were read in fewer networks of a cell than others."""
    read = layers.with_columns(ok=pl.len().over(_pooled()))
    return read.filter(pl.col("ok") == pl.col("ok").max().over(*CELL, *CONDITION)).drop("ok")


def _best(layers: pl.DataFrame, merit: pl.Expr) -> pl.DataFrame:
    group = [*UNIT, *CONDITION]
    fixed = pl.col("merit").is_null()
    last_hidden = pl.when(pl.col("layer_depth") < 1).then(pl.col("layer_index"))
    return (
        layers.with_columns(merit=merit.round(DIGITS))
        .with_columns(
            merit=pl.when(fixed).then(last_hidden.fill_null(-1)).otherwise("merit"),
            chosen_by=pl.when(fixed).then(pl.lit("fixed")).otherwise(pl.lit("validation")),
        )
        .sort(["merit", "layer_index"], descending=[True, False])
        .unique(group, keep="first", maintain_order=True)
        .select([*group, "layer", "chosen_by"])
        .sort(group)
    )
