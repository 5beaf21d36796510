"""The board: decoders ranked by recovery, with intervals, tie groups and coverage; pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from memgen_leaderboard.scoring.estimates import LEAST_HEADROOM, Estimates, estimates
from memgen_leaderboard.scoring.statistics import LEVEL, Array, holm
from memgen_leaderboard.scoring.units import UNIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEAST_COVERAGE = 0.95  # decoders that cover fewer networks are listed without a rank
# Decoders that may have a rank or be named as the best.
ELIGIBLE = (pl.col("coverage") >= LEAST_COVERAGE) & ~pl.col("told_noise") & ~pl.col("saw_test")

_ACCURACIES = ("decoded", "oracle", "untrained", "pixels", "clean", "true_labels")
_INTERVALS = {
    "decoder": pl.String,
    "recovery_half_width": pl.Float64,
    "gain_untrained_half_width": pl.Float64,
    "gain_pixels_half_width": pl.Float64,
    "interval": pl.String,
}
_PAIRS = {
    "decoder": pl.String,
    "other": pl.String,
    "difference": pl.Float64,
    "half_width": pl.Float64,
    "recovery_difference": pl.Float64,
    "recovery_half_width": pl.Float64,
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
            for decoders without a rank. `recovery`; mean accuracies as in `units`;
            `gain_untrained` and `gain_pixels`, accuracy minus that of the same decoder on the
            untrained network and on raw pixels; `seconds`; `told_noise`; `saw_test`; `ok` of
            `planned` networks and `coverage`. Columns that end in `_half_width` are half the
            widths of 95 % intervals; `interval` names the variation that these cover.
        pairs: One row for every two ranked decoders, `decoder` having the higher mean:
            `difference` in accuracy and `recovery_difference`, with half the widths of their 95 %
            intervals; `p_value` of no difference; `p_holm`, the same corrected for all pairs.
        compared: The units of the ranked decoders, on the networks that all of them cover.
    """

    board: pl.DataFrame
    pairs: pl.DataFrame
    compared: pl.DataFrame


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


def rank(frame: pl.DataFrame, *, planned: int | None = None, ranked: bool = True) -> Ranking:
    """Rank decoders by recovery over networks at rates that can be ranked.

    Decoders with at least `LEAST_COVERAGE` are compared on the networks that all of them cover and
    that have a readout and a ceiling; each other decoder is averaged over the networks that it
    covers. A decoder that is told the noise, or saw the test set, has no rank.

    Args:
        frame: From `units`, of one suite.
        planned: The number of planned networks; by default the number in the frame.
        ranked: Whether to rank at all: only memorized networks on corrupted labels are ranked.
    """
    eligible = frame.filter("rankable")
    covered = _covered(eligible, planned or eligible.select(UNIT).n_unique())
    good = covered.filter(ELIGIBLE)["decoder"]
    with_headroom = eligible.drop_nulls(["readout", "ceiling"])
    common = _common(with_headroom if with_headroom.height else eligible, good.to_list())
    rest = eligible.join(common, on="decoder", how="anti")
    means = pl.concat([_means(common), _means(rest)])
    found = estimates(common) if common.height else None
    compared = good.sort().to_list() if ranked and found and found.headroom else []
    pairs = _pairs(found, compared)
    board = (
        covered.join(means, on="decoder")
        .join(_intervals(found), on="decoder", how="left")
        .join(_ranks(pairs, compared), on="decoder", how="left")
    )
    order = [pl.col("rank").is_null(), -pl.col("recovery"), -pl.col("decoded"), pl.col("decoder")]
    return Ranking(
        board=board.sort(order, nulls_last=True),
        pairs=pairs,
        compared=common.filter(pl.col("decoder").is_in(compared)),
    )


def best_decoders(board: pl.DataFrame) -> pl.DataFrame:
    """Return the decoders with the highest accuracy on memorized networks and on the controls.

    Args:
        board: From `rank`; decoders that are told the noise, saw the test set, or cover too few
            networks do not count.

    Returns:
        A row for each of `decoded`, `untrained`, `pixels` and `clean` that has values: its name as
        `column`, the best `decoder`, its `accuracy`, and `worth`, that accuracy as a recovery.
    """
    eligible = board.filter(ELIGIBLE)
    headroom = pl.when(pl.col("recovery").is_not_null()).then(pl.col("ceiling") - pl.col("readout"))
    found = [
        eligible.drop_nulls(column)
        .sort(column, "decoder", descending=[True, False])
        .head(1)
        .select(
            "decoder",
            column=pl.lit(column),
            accuracy=column,
            worth=(pl.col(column) - pl.col("readout")) / headroom,
        )
        for column in ("decoded", "untrained", "pixels", "clean")
    ]
    return pl.concat(found)


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
    table = frame.group_by("decoder").agg(
        *(pl.col(name).mean() for name in (*_ACCURACIES, "readout", "ceiling", "seconds")),
        gain_untrained=(pl.col("decoded") - pl.col("untrained")).mean(),
        gain_pixels=(pl.col("decoded") - pl.col("pixels")).mean(),
    )
    return table.join(recovery(frame, ["decoder"]), on="decoder", how="left")


def _intervals(found: Estimates | None) -> pl.DataFrame:
    if found is None:
        return pl.DataFrame(schema=_INTERVALS)

    contrasts: dict[tuple[str, str], Array] = {}
    for decoder in found.decoders:
        if found.headroom:
            contrasts["recovery", decoder] = found.recovery(decoder)
        for control in ("untrained", "pixels"):
            if (control, decoder) in found.places:
                gain = {("decoded", decoder): 1.0, (control, decoder): -1.0}
                contrasts[control, decoder] = found.contrast(gain)
    of_each = found.crossed.half_widths(np.stack(list(contrasts.values()))) if contrasts else ()
    widths = dict(zip(contrasts, map(float, of_each), strict=True))
    rows = [
        (
            decoder,
            *(widths.get((what, decoder)) for what in ("recovery", "untrained", "pixels")),
            found.interval,
        )
        for decoder in found.decoders
    ]
    return pl.DataFrame(rows, schema=_INTERVALS, orient="row")


def _pairs(found: Estimates | None, decoders: Sequence[str]) -> pl.DataFrame:
    if found is None or found.headroom is None or len(decoders) < 2:
        return pl.DataFrame(schema=_PAIRS)
    best = sorted(decoders, key=lambda name: (-found.mean(("decoded", name)), name))
    couples = list(combinations(best, 2))
    accuracy = np.stack(
        [found.contrast({("decoded", one): 1, ("decoded", other): -1}) for one, other in couples]
    )
    of_recovery = np.stack([found.recovery(one) - found.recovery(other) for one, other in couples])
    difference, p_values = accuracy @ found.crossed.means, found.crossed.p_values(accuracy)
    table = pl.DataFrame(couples, schema=["decoder", "other"], orient="row").with_columns(
        difference=difference,
        half_width=found.crossed.half_widths(accuracy),
        recovery_difference=difference / found.headroom,
        recovery_half_width=found.crossed.half_widths(of_recovery),
        p_value=p_values,
        p_holm=holm(p_values),
        interval=pl.lit(found.interval),
    )
    return table.select(*_PAIRS)


def _ranks(pairs: pl.DataFrame, decoders: Sequence[str]) -> pl.DataFrame:
    sure = pairs.filter(pl.col("p_holm") < 1 - LEVEL)
    better, worse = sure["other"].to_list(), sure["decoder"].to_list()
    rows = [
        (decoder, 1 + better.count(decoder), len(decoders) - worse.count(decoder))
        for decoder in decoders
    ]
    return pl.DataFrame(rows, schema=_RANKS, orient="row")
