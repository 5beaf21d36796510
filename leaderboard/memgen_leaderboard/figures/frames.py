"""The numbers of each figure as tidy frames, the same for a page and a paper; pure."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import polars as pl
from scipy import stats

from memgen_bench.protocol import ALL_LAYERS, FEATURES, READOUT
from memgen_leaderboard.scoring.controls import NAME, REFERENCES
from memgen_leaderboard.scoring.decoder_choice import first_on_validation
from memgen_leaderboard.scoring.layer_choice import CELL, CONDITION, UNIT, choose_layers
from memgen_leaderboard.scoring.ranking import ELIGIBLE
from memgen_leaderboard.scoring.statistics import LEAST_SEEDS, LEVEL
from memgen_leaderboard.scoring.suite_scores import decoder_order
from memgen_leaderboard.scoring.units import by_outcome
from memgen_leaderboard.text import control_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_leaderboard.scoring.suite_scores import Scores

PAIR = ("dataset", "model")
PUBLISHED = "masc"  # the decoder of the papers
UNTRAINED, RANDOM = "untrained network", "network of random labels"
IMAGES, CEILING, CONTROL = "features of the images", "ceiling", "control"
EARLY = REFERENCES[0]
MOST_EPOCHS = 200  # points of a training curve; longer ones are thinned out

# Series of a training curve, and the columns of a network that hold them.
CURVES = {
    "training images, given labels": "curve_train_accuracy",
    "validation images, noisy labels": "curve_validation_accuracy",
    "test images, true labels": "curve_test_accuracy",
}

# Axes of accuracies are zoomed to the curves: a line across that is farther from them than this
# share of their span, in accuracy at least so much, is named at the edge with its number.
REACH, LEAST_SPAN = 1.0, 0.02
EDGE, STEP = 0.1, 0.13  # where the first name stands beyond the curves, and the next, in spans

_LETTERS = 44  # of a line above a narrow panel

# Names on the Pareto front do not overlap where points are at least this far apart.
_LEAST_ACCURACY, _LEAST_FACTOR = 0.02, 2.0


def drawn_first(scores: Scores, count: int) -> list[str]:
    """Return the papers' decoder and the best ones, those of single layers first.

    Args:
        scores: The scores of the suite.
        count: The most decoders to return; the best come first.
    """
    of_layers = set(scores.units.filter(pl.col("layer") != ALL_LAYERS)["decoder"])
    order = sorted(decoder_order(scores), key=lambda name: name not in of_layers)
    shown = {PUBLISHED, *[name for name in order if name != PUBLISHED][: count - 1]}
    return [name for name in order if name in shown]


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
    fine = _of_layers(scores)
    draws = ["dataset", "noise", "rate"]
    pairs = scores.units.select(*PAIR, "noise", "rate").unique()
    of_pairs = fine.drop_nulls("source")
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


def _of_layers(scores: Scores) -> pl.DataFrame:
    """Return the readings of single layers that are fitted as the view says.

    Networks have a `source`, as in `layer_frame`; features and other kinds have none.
    """
    kind = scores.view.kind
    sources = {kind: f"{kind} network", "untrained": UNTRAINED, "random": RANDOM}
    readings = by_outcome(scores.readings).with_columns(pl.col(pl.Categorical).cast(pl.String))
    fine = readings.filter(
        pl.col("layer") != ALL_LAYERS,
        pl.col("decoder") != READOUT,
        status="ok",
        labels=scores.view.labels,
        fitted_on=scores.view.fitted_on,
    )
    return fine.with_columns(source=pl.col("kind").replace_strict(sources, default=None))


def controls_frame(scores: Scores) -> pl.DataFrame:
    """Return a pair's accuracies over layers beside all of its controls and references.

    Shown are two decoders of single layers: the one with the highest mean accuracy on noisy
    validation labels of the pair's networks, and the papers'. Only cells with a control have rows.

    Returns:
        A row for each data set, model, noise, rate, decoder, `source` and layer: `accuracy`, the
        mean over the seeds, with its 95 % interval over them from `low` to `high` (null with fewer
        than three); `layer_index`, the place of the layer from 0. The sources are the view's
        networks, the untrained network and the network of random labels; and without layer, once
        for each decoder, `control`, the best of the `features of the images` on noisy validation
        labels, `readout`, `early-stopped` and `ceiling`. `what` names the control and the features,
        and `panel` the decoder, noise and rate, with these names in lines of their own.
    """
    curves = _of_layers(scores).drop_nulls("source")
    drawn = pl.concat([_drawn_decoders(one) for one in scores.of_pairs])
    drawn = drawn.unique([*PAIR, "decoder"], keep="first", maintain_order=True)  # of all noises
    cell = [*PAIR, "noise", "rate"]
    controlled = scores.cells.drop_nulls("control").select(cell)
    place = pl.col("layer_index").rank("dense").over(PAIR).cast(pl.Int64) - 1
    decoded = (
        curves.join(drawn, on=[*PAIR, "decoder"])
        .rename({"test_accuracy": "value"})
        .with_columns(layer_index=place)
    )
    lines = _lines(scores).join(drawn, on=PAIR)
    columns = [*cell, "place", "decoder", "source", "what", "layer", "layer_index"]
    rows = pl.concat([decoded, lines], how="diagonal").join(controlled, on=cell, how="semi")
    order = [*cell, "place", "source", "layer_index", "what"]
    found = _drawn(_over_seeds(rows, columns)).sort(order).drop("place")
    named = controls_named(found).with_columns(pl.col("named").map_elements(_in_lines, pl.String))
    return (
        found.join(named, on=[*PAIR, "draw"], how="left", maintain_order="left")
        .with_columns(panel=pl.format("{}, {}\n{}", "decoder", "draw", "named"))
        .drop("named")
    )


def controls_named(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the name of the control of each `draw` of a pair, and that of the best features.

    Args:
        frame: From `controls_frame`, or its rows.

    Returns:
        A row for each data set, model and draw, in order, in which `named` has a line for each;
        that of the features is left out where they are the control.
    """
    group = [*PAIR, "draw"]
    what = {
        name: frame.filter(source=name)
        .group_by(group, maintain_order=True)
        .agg(what=pl.first("what"))
        for name in (CONTROL, IMAGES)
    }
    both = what[CONTROL].join(what[IMAGES], on=group, how="left", suffix="_images")
    control, images = pl.col("what"), pl.col("what_images")
    beside = (
        pl.when(images != control).then(pl.format("\nfeatures: {}", images)).otherwise(pl.lit(""))
    )
    return both.select(*group, named=pl.format("control: {}{}", control, beside))


def _in_lines(text: str) -> str:
    return "\n".join(line for part in text.split("\n") for line in wrap(part, _LETTERS))


def _drawn_decoders(pair: Scores) -> pl.DataFrame:
    """Return the decoders of single layers that `controls_frame` shows of one pair, in order."""
    of_layers = pair.units.filter("rankable", pl.col("layer") != ALL_LAYERS)
    found = dict.fromkeys([first_on_validation(of_layers), PUBLISHED])
    there = [name for name in found if name in set(of_layers["decoder"])]
    (axes,) = pair.units.select(PAIR).unique().iter_rows()
    named = {name: [value] * len(there) for name, value in zip(PAIR, axes, strict=True)}
    schema = dict.fromkeys((*PAIR, "decoder"), pl.String)
    return pl.DataFrame({**named, "decoder": there}, schema=schema).with_row_index("place")


def _lines(scores: Scores) -> pl.DataFrame:
    """Return what a cell has once: references, control and features, a row for each network."""
    cell = [*PAIR, "noise", "rate", "seed"]
    units = scores.units.filter("rankable")
    networks = units.unique(UNIT, keep="any")
    shared = [
        networks.select(*cell, value=name, source=pl.lit(name)).drop_nulls("value")
        for name in (READOUT, CEILING)
    ]
    early = units.filter(decoder=EARLY).select(*cell, value="decoded", source=pl.lit(EARLY))
    of_cell = scores.controls.with_columns(
        what=pl.struct(NAME).map_elements(control_name, pl.String), value="test_accuracy"
    )
    of_images = of_cell.filter(~pl.col("source").is_in(["untrained", "random"]))
    first = pl.struct(-pl.col("merit"), *NAME).rank("dense").over(CELL) == 1
    named = [
        part.select(*cell, "what", "value", source=pl.lit(source))
        for part, source in (
            (of_cell.filter("is_best"), CONTROL),
            (of_images.filter(first), IMAGES),
        )
    ]
    return pl.concat([*shared, early, *named], how="diagonal")


def _over_seeds(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return the mean of `value` over seeds for each group, with its interval."""
    of_seeds = rows.group_by(*columns, "seed").agg(pl.col("value").mean())
    value, count = pl.col("value"), pl.len()
    means = of_seeds.group_by(columns).agg(
        accuracy=value.mean(), error=value.std() / count.sqrt(), seeds=count
    )
    quantiles = [
        (seeds, float(stats.t.isf((1 - LEVEL) / 2, seeds - 1)) if seeds >= LEAST_SEEDS else None)
        for seeds in means["seeds"].unique()
    ]
    schema: Any = {"seeds": means.schema["seeds"], "quantile": pl.Float64}
    width = pl.col("error") * pl.col("quantile")
    return (
        means.join(pl.DataFrame(quantiles, schema=schema, orient="row"), on="seeds", how="left")
        .with_columns(
            low=(pl.col("accuracy") - width).clip(0, 1),
            high=(pl.col("accuracy") + width).clip(0, 1),
        )
        .drop("error", "quantile", "seeds")
    )


def epoch_frame(scores: Scores) -> pl.DataFrame:
    """Return test accuracies at the checkpoints, over the epochs of training.

    A decoder's layer is chosen for each epoch, as on the board. After the end of its training a
    network keeps its last accuracies; the last epoch is that of the longest training. Networks
    that did not memorize in the end are left out.

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
            _at_last_epochs(scores, wanted, at_end),
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


def _at_last_epochs(scores: Scores, wanted: pl.DataFrame, at_end: pl.DataFrame) -> pl.DataFrame:
    """Return the readings at the end of trainings, where the longest one outlasts checkpoints."""
    draw = [*PAIR, "noise", "rate"]
    epochs = scores.networks.select("network_id", *draw, last="epochs")
    text = pl.col(pl.Categorical).cast(pl.String)
    ends = at_end.filter(status="ok", kind=scores.view.kind).join(
        wanted.select("network_id", "decoder").unique(), on=["network_id", "decoder"], how="semi"
    )
    last = epochs.group_by(draw).agg(pl.col("last").max().cast(wanted.schema["epoch"]))
    final = ends.with_columns(text).join(last, on=draw, nulls_equal=True)
    known = wanted.with_columns(text).group_by(draw).agg(known=pl.col("epoch").max())
    late = final.join(known, on=draw, nulls_equal=True).filter(pl.col("last") > pl.col("known"))
    types: dict[Any, Any] = dict(at_end.schema)
    return late.rename({"last": "epoch"}).drop("known").cast(types)


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
    several = pl.col("noise").is_not_null()
    noise = pl.when(several).then(pl.format(", {}", "noise")).otherwise(pl.lit(""))
    pair = pl.format("{} on {}{}", "model", "dataset", noise).alias("pair")
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
