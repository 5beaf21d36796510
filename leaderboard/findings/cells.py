"""The cells of `core`, pairs of a data set and a model by rate: readings and controls."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.protocol import READOUT
from memgen_bench.results.store import read_frame
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.layer_choice import UNIT
from memgen_leaderboard.scoring.suite_scores import Scores, View, all_scores
from memgen_leaderboard.scoring.units import units

if TYPE_CHECKING:
    from memgen_bench.plan.suite import FittedOn

CORE = Path(__file__).parents[1] / "results" / "core"
CELL = ["dataset", "model", "rate"]
CHANCE = 0.12  # a cell in which no network is read above that is at chance


@cache
def scores(fitted_on: FittedOn = "training") -> Scores:
    """Return the scores of `core`, of decoders fitted on these points."""
    (found,) = all_scores(CORE, [View(fitted_on=fitted_on)])
    return found


def with_bits(frame: pl.DataFrame) -> pl.DataFrame:
    """Name the column of the images that a unit has right as contrasts want it."""
    return frame.rename({"decoded_bits": "bits"})


def of_each(found: Scores, decoder: str) -> pl.DataFrame:
    """Return the mean accuracy of a decoder in each cell."""
    own = found.units.filter(pl.col("decoder") == decoder)
    return own.group_by(CELL).agg(pl.col("decoded").mean().alias(decoder))


def held(fitted_on: FittedOn = "training") -> pl.DataFrame:
    """Return what is chosen on validation in each cell beside all controls, with X and E."""
    found = scores(fitted_on)
    chosen, controls = found.chosen, found.controls
    means = chosen.group_by(CELL).agg(pl.col("decoded", "readout", "ceiling", "control").mean())
    by_source = (
        controls.group_by(*CELL, "source")
        .agg(pl.col("test_accuracy").mean())
        .pivot(on="source", index=CELL, values="test_accuracy")
    )
    best = controls.filter("is_best").rename({"test_correct": "bits"})
    excess = contrast(with_bits(chosen), best, CELL)
    names = best.group_by(CELL).agg(pl.col("source", "decoder", "layer").first())
    joined = means.join(by_source, on=CELL, how="left").join(excess, on=CELL)
    joined = joined.join(names, on=CELL).join(of_each(found, "early-stopped"), on=CELL, how="left")
    room = pl.col("ceiling") - pl.col("control")
    share = pl.when(room >= 0.02).then(pl.col("difference") / room)
    return joined.with_columns(share=share).sort(CELL)


def pooled() -> pl.DataFrame:
    """Return X where decoder and layer are chosen on the validation labels of all seeds, too."""
    columns = [
        "layer",
        "test_accuracy",
        "validation_accuracy",
        "fitted_on",
        "saw_test",
        "told_noise",
    ]
    own = ["key", *CELL, "seed", "kind", "labels", "decoder", "status", "memorized", *columns]
    rows = read_frame(CORE, "readings", own).filter(
        pl.col("kind") == "memorized",
        pl.col("status") == "ok",
        pl.col("labels") == "corrupted",
        pl.col("fitted_on") == "training",
        pl.col("memorized").fill_null(True),
        ~pl.col("saw_test").fill_null(False),
        ~pl.col("told_noise"),
        ~pl.col("decoder").is_in([*REFERENCES, READOUT]),
    )
    means = rows.group_by(*CELL, "decoder", "layer").agg(
        pl.col("validation_accuracy", "test_accuracy").mean(), seeds=pl.len()
    )
    whole = means.filter(pl.col("seeds") == pl.col("seeds").max().over(CELL))
    order = ["validation_accuracy", "decoder", "layer"]
    best = whole.sort(order, descending=[True, False, False]).unique(
        CELL, keep="first", maintain_order=True
    )
    controls = held().select(*CELL, "control")
    joined = best.join(controls, on=CELL)
    return joined.select(*CELL, pooled=pl.col("test_accuracy") - pl.col("control"))


def of_decoder(decoder: str) -> pl.DataFrame:
    """Return a decoder on memorized networks in each cell, less the control and its own ones."""
    found = scores()
    own = with_bits(found.units.filter(pl.col("decoder") == decoder))
    control = found.controls.filter("is_best").rename({"test_correct": "bits"})
    random = with_bits(units(found.readings, "random").filter(pl.col("decoder") == decoder))
    untrained = with_bits(units(found.readings, "untrained").filter(pl.col("decoder") == decoder))
    untrained = untrained.drop("order_seed").join(
        own.select(UNIT), on=[name for name in UNIT if name != "order_seed"], nulls_equal=True
    )
    result = own.group_by(CELL).agg(pl.col("decoded").mean())
    others = {"control": control, "random": random, "untrained": untrained}
    for name, other in others.items():
        texts = {column: own.schema[column] for column in UNIT}
        one = contrast(own, other.cast(texts), CELL).drop("networks")  # type: ignore[arg-type]
        one = one.rename({"difference": name, "half_width": f"{name}_half"})
        result = result.join(one, on=CELL, how="left")
    return result.sort(CELL)


def live() -> pl.DataFrame:
    """Return the cells in which the memorized network is read above chance."""
    return held().filter(pl.col("decoded") > CHANCE).select(CELL)


def both_fittings() -> pl.DataFrame:
    """Return what is chosen on training and on held-out points, in cells above chance."""
    trained = held().select(*CELL, trained="decoded")
    return held("held_out").join(trained, on=CELL).join(live(), on=CELL, how="semi")
