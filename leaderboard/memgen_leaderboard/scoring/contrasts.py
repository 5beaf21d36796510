"""Contrasts: how much more one reading has right than another of the same networks; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from memgen_leaderboard.scoring.estimates import CONTROL, estimates
from memgen_leaderboard.scoring.layer_choice import UNIT

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEMA = {"difference": pl.Float64, "half_width": pl.Float64, "networks": pl.Int64}


def contrast(own: pl.DataFrame, other: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the mean difference of two readings over cells, with its interval.

    Args:
        own: One row for each network: columns of `UNIT` and `bits`, the test images that a reading
            has right, packed, in test order.
        other: Likewise another reading, on the same test images.
        by: Columns of `UNIT` to group by; one row for all by default.

    Returns:
        Columns `by`, `difference` (own - other, in accuracy), `half_width` of its 95 % interval,
        and the number of `networks` that have both readings; groups without any are left out.
    """
    both = own.select(*UNIT, decoded_bits="bits").join(
        other.select(*UNIT, control_bits="bits"), on=list(UNIT), nulls_equal=True, validate="1:1"
    )
    paired = both.with_columns(decoder=pl.lit(""))
    groups = paired.group_by(list(by), maintain_order=True) if by else [((), paired)]
    rows = [(*key, *_difference(part)) for key, part in groups if part.height]
    schema = {name: paired.schema[name] for name in by} | _SCHEMA
    return pl.DataFrame(rows, schema=schema, orient="row").sort(list(by) or ["difference"])


def _difference(paired: pl.DataFrame) -> tuple[float, float, int]:
    found = estimates(paired)
    row = found.contrast({("decoded", ""): 1, CONTROL: -1})
    (width,) = found.crossed.half_widths(row[None])
    return float(row @ found.crossed.means), float(width), paired.height
