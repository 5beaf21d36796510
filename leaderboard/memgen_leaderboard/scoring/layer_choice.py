"""The choice of a decoder's layer without the test set, and its cost against the best layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import polars as pl

from memgen_bench.protocol import INPUT, READOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

# Sizes of the subsets of a data set, and the width of layers: other sizes make other cells.
SIZES = ("train_count", "validation_count", "test_count", "max_layer_dim")
# One cell of the benchmark; seeds are repetitions within it.
CELL = ("dataset", "model", *SIZES, "noise", "rate")

# `cell` pools the seeds, `rates` the rates too, `penultimate` looks at no accuracy.
Rule = Literal["cell", "rates", "penultimate"]
RULES: tuple[Rule, ...] = get_args(Rule)

_GROUP = (*CELL, "kind", "labels", "decoder")
_DIGITS = 12  # means that differ by less are equal


def choose_layers(readings: pl.DataFrame, rule: Rule = "cell") -> pl.DataFrame:
    """Choose a layer for each (cell, kind, labels, decoder) without looking at the test set.

    The chosen layer has the highest accuracy on noisy validation labels, averaged over the seeds,
    among the network's own layers. The input is a control and never eligible, nor is a layer that
    was read in fewer networks than others of the group. Ties go to the earlier layer.
    Without validation points it is the last layer before the logits.

    Args:
        readings: Rows of any kind; only those with status `ok` count.
        rule: `cell` is the board's. `rates` averages over all rates at which readings can be
            ranked, too, and so takes one layer for all of them; `penultimate` takes the last
            layer before the logits.

    Returns:
        One row per group with columns `layer` and `chosen_by` (`validation` or `fixed`).
    """
    layers = _layers(readings)
    all_rates = [name for name in (*_GROUP, "layer") if name != "rate"]
    pooled = pl.col("validation_accuracy").filter("rankable").mean().over(all_rates)
    merit = {
        "cell": pl.col("validation_accuracy"),
        "rates": pooled.round(_DIGITS),
        "penultimate": pl.lit(None, pl.Float64),
    }[rule]
    return _best(layers.with_columns(merit=merit))


def oracle_layers(readings: pl.DataFrame) -> pl.DataFrame:
    """Choose the layer with the highest *test* accuracy, as the papers do; never ranked."""
    return _best(_layers(readings).with_columns(merit="test_accuracy")).drop("chosen_by")


def regret(readings: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the test accuracy that each rule loses to the oracle layer, on corrupted labels.

    Args:
        readings: Rows of any kind; only those with status `ok` at rates that can be ranked count.
        by: Columns of `CELL` and `decoder` that make groups, beside the kind of network.

    Returns:
        A row for each group and rule: `kind`, `rule`, `oracle` and `accuracy` (means over cells
        and decoders), their difference `regret`, the largest one `worst`, and `choices`, the
        number of layers that were chosen.
    """
    layers = _layers(readings).filter("rankable", pl.col("labels") == "corrupted")
    oracle = layers.group_by(_GROUP).agg(oracle=pl.col("test_accuracy").max())
    found = []
    for rule in RULES:
        chosen = choose_layers(readings, rule)
        at_chosen = layers.join(chosen, on=[*_GROUP, "layer"], nulls_equal=True)
        cells = at_chosen.join(oracle, on=list(_GROUP), nulls_equal=True)
        lost = pl.col("oracle") - pl.col("test_accuracy")
        found.append(
            cells.group_by("kind", *by).agg(
                pl.col("oracle").mean(),
                accuracy=pl.col("test_accuracy").mean(),
                regret=lost.mean(),
                worst=lost.max(),
                choices=pl.len(),
                rule=pl.lit(rule),
            )
        )
    order = pl.col("rule").replace_strict({rule: place for place, rule in enumerate(RULES)})
    return pl.concat(found).sort("kind", *by, order)


def _layers(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the means over the seeds of each group's own layers."""
    fine = readings.filter(
        pl.col("status") == "ok", pl.col("layer") != INPUT, pl.col("decoder") != READOUT
    )
    accuracies = ("validation_accuracy", "test_accuracy")
    means = [pl.col(name).mean().round(_DIGITS) for name in accuracies]
    first = [pl.col(name).first() for name in ("layer_index", "layer_depth", "rankable")]
    layers = fine.group_by([*_GROUP, "layer"]).agg(*means, *first, ok=pl.len())
    return layers.filter(pl.col("ok") == pl.col("ok").max().over(_GROUP))


def _best(layers: pl.DataFrame) -> pl.DataFrame:
    fixed = pl.col("merit").is_null()
    last_hidden = pl.when(pl.col("layer_depth") < 1).then(pl.col("layer_index"))
    return (
        layers.with_columns(
            merit=pl.when(fixed).then(last_hidden.fill_null(-1)).otherwise("merit"),
            chosen_by=pl.when(fixed).then(pl.lit("fixed")).otherwise(pl.lit("validation")),
        )
        .sort(["merit", "layer_index"], descending=[True, False])
        .unique(_GROUP, keep="first", maintain_order=True)
        .select([*_GROUP, "layer", "chosen_by"])
        .sort(_GROUP)
    )
