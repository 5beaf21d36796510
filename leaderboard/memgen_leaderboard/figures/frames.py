"""The numbers of each figure as tidy frames, the same for a page and a paper; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.protocol import ALL_LAYERS, FEATURES, READOUT
from memgen_leaderboard.scoring.layer_choice import CONDITION, UNIT, choose_layers
from memgen_leaderboard.scoring.ranking import ELIGIBLE
from memgen_leaderboard.scoring.suite_scores import decoder_order
from memgen_leaderboard.scoring.units import by_outcome

if TYPE_CHECKING:
    from memgen_leaderboard.scoring.suite_scores import Scores

PAIR = ("dataset", "model")
UNTRAINED, RANDOM = "untrained network", "network of random labels"
IMAGES, CEILING = "features of the images", "ceiling"
MOST_EPOCHS = 200  # points of a training curve; longer ones are thinned out

# Series of a training curve, and the columns of a network that hold them.
CURVES = {
    "training images, given labels": "curve_train_accuracy",
    "validation images, noisy labels": "curve_validation_accuracy",
    "test images, true labels": "curve_test_accuracy",
}

# Names on the Pareto front do not overlap where points are at least this far apart.
_LEAST_ACCURACY, _LEAST_FACTOR = 0.02, 2.0


def drawn_first(scores: Scores, count: int) -> list[str]:
    """Return the best decoders, those of single layers first: all figures show them.

    Args:
        scores: The scores of the suite.
        count: The most decoders to return; the best come first.
    """
    of_layers = set(scores.units.filter(pl.col("layer") != ALL_LAYERS)["decoder"])
    return sorted(decoder_order(scores), key=lambda name: name not in of_layers)[:count]


def layer_frame(scores: Scores) -> pl.DataFrame:
    """Return test accuracies over layers, with the controls and the network's own readout.

    Decoders that read all layers at once are left out.

    Returns:
        A row for each data set, model, noise, rate, decoder, `source` and layer: `accuracy`, the
        mean over the seeds, with the lowest and the highest of them, `low` and `high`;
        `layer_index`, the place of the layer from 0, features of the images first. A source is
        `memorized network` (or the view's kind), `untrained network`, `network of random labels`,
        `features of the images`, and without decoder and layer `readout` and `ceiling`.
    """
    own = f"{scores.view.kind} network"
    sources = {scores.view.kind: own, "untrained": UNTRAINED, "random": RANDOM}
    of_networks = pl.col("kind").replace_strict(sources, default=None)
    readings = by_outcome(scores.readings).with_columns(pl.col(pl.Categorical).cast(pl.String))
    fine = readings.filter(
        pl.col("layer") != ALL_LAYERS,
        pl.col("decoder") != READOUT,
        status="ok",
        labels=scores.view.labels,
        fitted_on=scores.view.fitted_on,
    )
    draws = ["dataset", "noise", "rate"]
    pairs = scores.units.select(*PAIR, "noise", "rate").unique()
    of_pairs = fine.with_columns(source=of_networks).drop_nulls("source")
    features = fine.filter(kind=FEATURES).with_columns(layer="model", source=pl.lit(IMAGES))
    of_images = features.drop("model").join(pairs, on=draws, nulls_equal=True)
    first = pl.col("layer").rank("dense").cast(pl.Int64) - 1000  # before all layers
    of_images = of_images.with_columns(layer_index=first)
    group = [*PAIR, "noise", "rate", "decoder", "layer", "layer_index"]
    decoded = (
        pl.concat([of_pairs, of_images], how="diagonal")
        .join(pairs, on=[*PAIR, "noise", "rate"], how="semi", nulls_equal=True)
        .group_by(*group, "source")
        .agg(*_spread("test_accuracy"))
        .with_columns(layer_index=pl.col("layer_index").rank("dense").over(PAIR).cast(pl.Int64) - 1)
    )
    lines = [
        scores.units.drop_nulls(name)
        .unique([*PAIR, "noise", "rate", "seed", "noise_seed", "init_seed", "order_seed"])
        .group_by(*PAIR, "noise", "rate")
        .agg(*_spread(name), source=pl.lit(name))
        for name in (READOUT, CEILING)
    ]
    found = pl.concat([decoded, *lines], how="diagonal")
    return _drawn(found).sort(*PAIR, "noise", "rate", "source", "decoder", "layer_index")


def epoch_frame(scores: Scores) -> pl.DataFrame:
    """Return test accuracies at the checkpoints, over the epochs of training.

    A decoder's layer is chosen for each epoch, as on the board. After the end of its training a
    network keeps its last accuracies. Networks that did not memorize in the end are left out.

    Returns:
        A row for each data set, model, noise, rate, decoder and epoch: `accuracy`, the mean over
        the seeds, with the lowest and the highest of them, `low` and `high`. The network's own
        readout has no decoder.
    """
    at_end = scores.readings.filter(pl.col("memorized").fill_null(False)).drop("epoch")
    wanted = scores.view.select(scores.checkpoints).filter(kind=scores.view.kind)
    same = ["network_id", "noise", "rate", "noise_seed", "max_layer_dim"]
    same += ["labels", "fitted_on", "decoder", "layer"]
    over = wanted.filter(status="skipped").select(*same, "epoch")
    found = pl.concat(
        [
            wanted.filter(status="ok").join(at_end, on="network_id", how="semi"),
            over.join(at_end.filter(status="ok"), on=same, nulls_equal=True),
        ],
        how="diagonal",
    )
    decoded = found.filter(
        pl.col("decoder") != READOUT, labels=scores.view.labels, fitted_on=scores.view.fitted_on
    )
    on = [*UNIT, *CONDITION, "layer"]
    chosen = [
        part.join(choose_layers(part), on=on, nulls_equal=True)
        for _, part in decoded.group_by("epoch")
    ]
    readout = found.filter(decoder=READOUT).with_columns(decoder=None)
    rows = pl.concat([*chosen, readout], how="diagonal_relaxed")
    rows = rows.with_columns(pl.col(pl.Categorical).cast(pl.String))
    lines = rows.group_by(*PAIR, "noise", "rate", "decoder", "epoch")
    return _drawn(lines.agg(*_spread("test_accuracy"))).sort(
        *PAIR, "noise", "rate", "decoder", "epoch"
    )


def rate_frame(scores: Scores) -> pl.DataFrame:
    """Return excess over the control by rate, for each model on a data set.

    Returns:
        A row for each data set, model, noise, rate and decoder: `excess` with its interval from
        `low` to `high`, and mean accuracies as on a board.
    """
    found = scores.by(*PAIR, "noise", "rate")
    half_width = pl.col("excess_half_width")
    with_interval = found.drop_nulls("excess").with_columns(
        low=pl.col("excess") - half_width, high=pl.col("excess") + half_width
    )
    columns = ("decoder", "excess", "low", "high", "decoded", "control", "readout", "ceiling")
    return with_interval.select(*PAIR, "noise", "rate", *columns)


def pair_frame(scores: Scores) -> pl.DataFrame:
    """Return the excess of each decoder on each model and data set, for a heat map."""
    columns = ("excess", "excess_half_width", "share", "decoded", "control")
    pair = pl.format("{} on {}", "model", "dataset").alias("pair")
    return scores.summary.select(*PAIR, pair, "decoder", *columns).sort(*PAIR)


def time_frame(scores: Scores) -> pl.DataFrame:
    """Return accuracy and seconds of each decoder.

    Returns:
        A row for each decoder: `decoded`, `excess`, `seconds`, and `front`: whether it may have
        a rank and no other such decoder is better in both accuracy and seconds.
    """
    found = scores.board.drop_nulls(["decoded", "seconds"])
    by_time = found.sort("seconds", "decoded", descending=[False, True])
    best_so_far = pl.when(ELIGIBLE).then("decoded").otherwise(-1.0).cum_max()
    front = ELIGIBLE & (pl.col("decoded") > best_so_far.shift(1, fill_value=-1.0))
    return by_time.select("decoder", "decoded", "excess", "seconds", front=front)


def named_on_front(times: pl.DataFrame) -> list[str]:
    """Return the decoders on the front whose names have room beside them, the best first.

    Args:
        times: From `time_frame`.
    """
    front = times.filter("front").sort("decoded", descending=True)
    named: list[tuple[str, float, float]] = []
    for point in front.select("decoder", "decoded", "seconds").iter_rows():
        _, accuracy, seconds = point
        if all(
            other - accuracy > _LEAST_ACCURACY or slower / seconds > _LEAST_FACTOR
            for _, other, slower in named
        ):
            named.append(point)
    return [decoder for decoder, *_ in named]


def mean_rank_frame(scores: Scores) -> pl.DataFrame | None:
    """Return mean ranks and their places in a critical-difference diagram.

    Returns:
        A row for each decoder, the best first: `mean_rank`; `side`, on which its name stands;
        `row`, counted from the axis. None where there are too few blocks or decoders.
    """
    found = scores.critical_difference
    if found is None:
        return None
    count = found.ranks.height
    left = (count + 1) // 2
    place = pl.int_range(pl.len())
    return found.ranks.with_columns(
        side=pl.when(place < left).then(pl.lit("left")).otherwise(pl.lit("right")),
        row=pl.when(place < left).then(place).otherwise(count - 1 - place).cast(pl.Int64),
    )


def tie_frame(scores: Scores) -> pl.DataFrame:
    """Return the bars of a critical-difference diagram: `start` and `end`, a `level` for each."""
    found = scores.critical_difference
    ranks = dict(found.ranks.iter_rows()) if found else {}
    groups = [group for group in (found.groups if found else ()) if len(group) > 1]
    ends = [(ranks[group[0]], ranks[group[-1]]) for group in groups]
    rows = [(start, end, level) for level, (start, end) in enumerate(ends)]
    schema = {"start": pl.Float64, "end": pl.Float64, "level": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def training_frame(networks: pl.DataFrame) -> pl.DataFrame:
    """Return training curves: `network_id`, `epoch`, `series` and `accuracy`.

    Args:
        networks: Rows of the networks table; untrained networks have no curve.
    """
    # Polars explodes an empty list into a null, not into no rows.
    trained = networks.filter(pl.col("curve_loss").list.len() > 0)
    parts = [
        trained.select("network_id", accuracy=pl.col(column))
        .filter(pl.col("accuracy").list.len() > 0)
        .with_columns(epoch=pl.int_ranges(1, pl.col("accuracy").list.len() + 1))
        .explode("accuracy", "epoch")
        .with_columns(series=pl.lit(series))
        for series, column in CURVES.items()
    ]
    columns = ("network_id", "series", "epoch", "accuracy")
    curves = pl.concat(parts).drop_nulls("accuracy").select(columns).sort(columns[:3])
    of_curve = ("network_id", "series")
    place, count = pl.int_range(pl.len()).over(of_curve), pl.len().over(of_curve)
    step = ((count + MOST_EPOCHS - 1) // MOST_EPOCHS).clip(1)
    return curves.filter((place == count - 1) | (place % step == 0))


def _spread(name: str) -> tuple[pl.Expr, ...]:
    value = pl.col(name)
    return value.mean().alias("accuracy"), value.min().alias("low"), value.max().alias("high")


def _drawn(frame: pl.DataFrame) -> pl.DataFrame:
    """Add a column `draw` that names noise and rate as the tables do."""
    draws = frame.select("noise", "rate").unique().sort("noise", "rate")
    several = draws["noise"].n_unique() > 1
    names = [f"{f'{noise} ' if several else ''}ρ {rate:g}" for noise, rate in draws.iter_rows()]
    named = draws.with_columns(pl.Series("draw", names, pl.String))
    return frame.join(named, on=["noise", "rate"], nulls_equal=True)
