"""The board: decoders ranked by excess over the control, with intervals and coverage; pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.estimates import CONTROL, Estimates, estimates
from memgen_leaderboard.scoring.layer_choice import CELL, UNIT
from memgen_leaderboard.scoring.statistics import LEVEL, holm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEAST_COVERAGE = 0.95  # decoders that cover fewer networks are listed without a rank
# Below this difference from the ceiling a share is undefined: the control's, and the readout's.
LEAST_HEADROOM = 0.02
# Decoders that may have a rank or be named as the best.
ELIGIBLE = (
    (pl.col("coverage") >= LEAST_COVERAGE)
    & ~pl.col("told_noise")
    & ~pl.col("saw_test")
    & ~pl.col("decoder").is_in(REFERENCES)
)

_OF_DECODER = ("decoded", "oracle", "pixels", "untrained", "random", "clean", "true_labels")
_ACCURACIES = (*_OF_DECODER, "control", "readout", "ceiling", "seconds")
_INTERVALS = {
    "decoder": pl.String,
    "excess_half_width": pl.Float64,
    "p_holm": pl.Float64,
    "interval": pl.String,
}
_DIFFERENCES = {
    "decoder": pl.String,
    "other": pl.String,
    "difference": pl.Float64,
    "half_width": pl.Float64,
    "p_value": pl.Float64,
    "p_holm": pl.Float64,
    "interval": pl.String,
}
_RANKS = {"decoder": pl.String, "rank": pl.Int64, "last_rank": pl.Int64}


@dataclass(frozen=True)
class Ranking:
    """Decoders compared on the same networks.

    Attributes:
        board: One row for each decoder, the best first. `rank` is 1 + the number of significantly
            better decoders, so decoders that do not differ significantly may share it; `last_rank`
            is the number of ranked decoders minus that of significantly worse ones. Both are null
            for decoders without a rank. `excess` is the mean over cells of accuracy minus that of
            the control, `excess_half_width` half the width of its 95 % interval, `p_holm` the p
            value of no excess, corrected for all ranked decoders, and `interval` the name of the
            variation that these cover. `share` is Σ excess / Σ (ceiling - control) over
            the cells with enough headroom, `recovery` Σ (accuracy - readout) / Σ (ceiling -
            readout); both are null where there is too little. Mean accuracies as in `units`;
            `seconds`; `told_noise`; `saw_test`; `ok` of `planned` networks and `coverage`.
        differences: One row for every two ranked decoders, `decoder` having the higher mean:
            `difference` in accuracy, with half the width of its 95 % interval; `p_value` of no
            difference; `p_holm`, the same corrected for all comparisons.
        compared: The units that the board's means average, of decoders that may be ranked.
    """

    board: pl.DataFrame
    differences: pl.DataFrame
    compared: pl.DataFrame


def cell_means(frame: pl.DataFrame) -> pl.DataFrame:
    """Average accuracies over the repetitions of each cell.

    Args:
        frame: From `units`.

    Returns:
        A row for each cell and decoder with its accuracies, and `headroom`: ceiling - control, and
        `is_void`, whether that is less than `LEAST_HEADROOM`. All three are null where a network
        has no ceiling: means over other networks cannot be compared.
    """
    means = frame.group_by(*CELL, "decoder").agg(
        pl.col(name for name in _ACCURACIES if name != "ceiling").mean(),
        ceiling=pl.when(pl.col("ceiling").is_not_null().all()).then(pl.col("ceiling").mean()),
        ok=pl.len(),
    )
    headroom = pl.col("ceiling") - pl.col("control")
    with_headroom = means.with_columns(headroom=headroom)
    return with_headroom.with_columns(is_void=pl.col("headroom").round(12) < LEAST_HEADROOM)


def scored(cells: pl.DataFrame, by: Iterable[str]) -> pl.DataFrame:
    """Return the scores of groups of cells.

    Args:
        cells: From `cell_means`, or others with the columns `decoded`, `control`, `readout` and
            `ceiling`, a row for each cell.
        by: Columns that make the groups.

    Returns:
        The groups with `excess`, `share` and `recovery`; see `Ranking`. None is clipped.
    """
    decoded, ceiling = pl.col("decoded"), pl.col("ceiling")
    shares = {}
    for name, below in (("share", "control"), ("recovery", "readout")):
        room, gained = ceiling - pl.col(below), decoded - pl.col(below)
        counts = room.is_not_null() & gained.is_not_null()
        if name == "share":
            counts &= room.round(12) >= LEAST_HEADROOM
        enough = room.filter(counts).mean().round(12) >= LEAST_HEADROOM
        shares[name] = pl.when(enough).then(gained.filter(counts).sum() / room.filter(counts).sum())
    groups = cells.group_by(list(by), maintain_order=True)
    return groups.agg(excess=(decoded - pl.col("control")).mean(), **shares)


def rank(frame: pl.DataFrame, *, planned: int | None = None, ranked: bool = True) -> Ranking:
    """Rank decoders by their excess over the control, at rates that can be ranked.

    Decoders with at least `LEAST_COVERAGE` are compared on the networks that all of them cover and
    that have a control; each other decoder is averaged over the networks that it covers. A decoder
    that is told the noise, saw the test set, or is a reference has no rank.

    Args:
        frame: From `units`, of one suite.
        planned: The number of planned networks; by default the number in the frame.
        ranked: Whether to rank at all: only memorized networks on corrupted labels are ranked.
    """
    eligible = frame.filter("rankable")
    covered = _covered(eligible, planned or eligible.select(UNIT).n_unique())
    good = covered.filter(ELIGIBLE)["decoder"]
    controlled = eligible.filter(pl.col("control").is_not_null())
    common = _common(controlled if controlled.height else eligible, good.to_list())
    rest = eligible.join(common, on="decoder", how="anti")
    means = pl.concat([_means(common), _means(rest)])
    found = estimates(common) if common.height else None
    compared = good.sort().to_list() if ranked and found and CONTROL in found.places else []
    differences = _differences(found, compared)
    board = (
        covered.join(means, on="decoder")
        .join(_intervals(found, compared), on="decoder", how="left")
        .join(_ranks(differences, compared), on="decoder", how="left")
    )
    order = [pl.col("rank").is_null(), -pl.col("excess"), -pl.col("decoded"), pl.col("decoder")]
    return Ranking(
        board=board.sort(order, nulls_last=True),
        differences=differences,
        compared=common.filter(pl.col("decoder").is_in(good.implode())),
    )


def by_rate(frame: pl.DataFrame) -> pl.DataFrame:
    """Return mean accuracy for each decoder and (noise, rate).

    Returns:
        Columns `decoder`, `noise`, `rate`, `decoded`, `readout`, `rankable`, `ok`, the number of
        networks averaged, and `planned`, the most networks that any decoder has there.
    """
    means = frame.group_by("decoder", "noise", "rate").agg(
        pl.col("decoded").mean(),
        pl.col("readout").mean(),
        pl.col("rankable").all(),
        ok=pl.len().cast(pl.Int64),
    )
    planned = pl.col("ok").max().over("noise", "rate")
    return means.with_columns(planned=planned).sort("decoder", "noise", "rate")


def _covered(eligible: pl.DataFrame, planned: int) -> pl.DataFrame:
    return eligible.group_by("decoder").agg(
        told_noise=pl.col("told_noise").any(),
        saw_test=pl.col("saw_test").any(),
        ok=pl.len().cast(pl.Int64),
        planned=pl.lit(planned, pl.Int64),
        coverage=pl.len() / max(planned, 1),
    )


def _common(eligible: pl.DataFrame, decoders: Sequence[str]) -> pl.DataFrame:
    """Keep the networks that all given decoders cover, and the decoders that cover all of these."""
    one_of_them = pl.col("decoder").is_in(decoders)
    common = eligible.filter(one_of_them.any(), one_of_them.sum().over(UNIT) == len(decoders))
    networks = common.select(UNIT).n_unique()
    return common.filter(pl.len().over("decoder") == networks)


def _means(frame: pl.DataFrame) -> pl.DataFrame:
    cells = cell_means(frame)
    means = cells.group_by("decoder").agg(pl.col(_ACCURACIES).mean())
    return means.join(scored(cells, ["decoder"]), on="decoder", how="left")


def _intervals(found: Estimates | None, compared: Sequence[str]) -> pl.DataFrame:
    if found is None or CONTROL not in found.places:
        return pl.DataFrame(schema=_INTERVALS)
    names = found.decoders
    excess = np.stack([found.contrast({("decoded", name): 1, CONTROL: -1}) for name in names])
    # Each for itself: all of them have the luck of the one control, which they cannot share out.
    alone = [excess[place : place + 1] for place in range(len(names))]
    widths = np.concatenate([found.crossed.half_widths(one) for one in alone])
    p_values = np.concatenate([found.crossed.p_values(one) for one in alone])
    ranked = [place for place, name in enumerate(names) if name in compared]
    corrected = dict.fromkeys(names) | dict(zip(compared, holm(p_values[ranked]), strict=True))
    rows = [
        (name, float(width), corrected[name], found.interval)
        for name, width in zip(names, widths, strict=True)
    ]
    return pl.DataFrame(rows, schema=_INTERVALS, orient="row")


def _differences(found: Estimates | None, decoders: Sequence[str]) -> pl.DataFrame:
    if found is None or len(decoders) < 2:
        return pl.DataFrame(schema=_DIFFERENCES)
    best = sorted(decoders, key=lambda name: (-found.mean(("decoded", name)), name))
    couples = list(combinations(best, 2))
    contrasts = np.stack(
        [found.contrast({("decoded", one): 1, ("decoded", other): -1}) for one, other in couples]
    )
    p_values = found.crossed.p_values(contrasts)
    table = pl.DataFrame(couples, schema=["decoder", "other"], orient="row").with_columns(
        difference=contrasts @ found.crossed.means,
        half_width=found.crossed.half_widths(contrasts),
        p_value=p_values,
        p_holm=holm(p_values),
        interval=pl.lit(found.interval),
    )
    return table.select(*_DIFFERENCES)


def _ranks(differences: pl.DataFrame, decoders: Sequence[str]) -> pl.DataFrame:
    sure = differences.filter(pl.col("p_holm") < 1 - LEVEL)
    better, worse = sure["other"].to_list(), sure["decoder"].to_list()
    rows = [
        (decoder, 1 + better.count(decoder), len(decoders) - worse.count(decoder))
        for decoder in decoders
    ]
    return pl.DataFrame(rows, schema=_RANKS, orient="row")
