"""The choice of a decoder on one network's noisy validation labels, without the test set; pure."""

from __future__ import annotations

import polars as pl

from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.layer_choice import DIGITS, UNIT

CHOSEN = "chosen on validation"

_UNPRIVILEGED = ~pl.col("told_noise") & ~pl.col("saw_test") & ~pl.col("decoder").is_in(REFERENCES)


def chosen_units(units: pl.DataFrame) -> pl.DataFrame:
    """Return what each network gives its user: the reading chosen on its noisy validation labels.

    It has the highest accuracy on the network's own noisy validation labels among all unprivileged
    decoders and layers; ties go to the name that is first in the alphabet, and in one decoder to
    the earlier layer. The test set has no say.

    Args:
        units: From `units`: a row for each decoder and network, at its own chosen layer.

    Returns:
        A row for each network, in which `decoder` is `CHOSEN` and `chosen` the decoder's own name.
        It has no `oracle` and no `seconds`: who chooses has to try them all. Networks without
        validation points have no row.
    """
    order = [-pl.col("validation").round(DIGITS), pl.col("decoder")]
    best = (
        units.filter(_UNPRIVILEGED, pl.col("validation").is_not_null())
        .sort(order)
        .unique(UNIT, keep="first", maintain_order=True)
    )
    none = pl.lit(None, pl.Float64)
    return best.with_columns(
        chosen="decoder", decoder=pl.lit(CHOSEN), oracle=none, seconds=none
    ).sort(UNIT)


def first_on_validation(units: pl.DataFrame) -> str | None:
    """Return the unprivileged decoder with the highest mean accuracy on noisy validation labels.

    Args:
        units: From `units`.

    Returns:
        A decoder that was read from as many of the networks as any, or None without validation
        points.
    """
    found = units.filter(_UNPRIVILEGED, pl.col("validation").is_not_null())
    means = found.group_by("decoder").agg(
        merit=pl.col("validation").mean().round(DIGITS), ok=pl.len()
    )
    whole = means.filter(pl.col("ok") == pl.col("ok").max()).sort(-pl.col("merit"), "decoder")
    return whole["decoder"][0] if whole.height else None
