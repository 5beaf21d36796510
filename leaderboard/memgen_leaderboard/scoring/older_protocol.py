"""Readings of protocol 1 in the form of protocol 2; pure."""

from __future__ import annotations

import polars as pl

from memgen_bench.protocol import FEATURES, INPUT

PIXELS = "pixels"

_NO_NETWORK = {
    "kind": FEATURES,
    "model": PIXELS,
    "layer": FEATURES,
    "memorized": None,
    "init_seed": None,
    "order_seed": None,
    "layer_index": None,
    "layer_depth": None,
}


def in_newer_form(readings: pl.DataFrame) -> pl.DataFrame:
    """Return readings of protocol 1 as protocol 2 would have stored them, and others as they are.

    In protocol 1 raw pixels were the layer `input` of each network. Its readings become those of
    the features `pixels`, which no network decides. Those on true labels depend on no draw, so the
    ones of rate 0 count; those at checkpoints repeat the others, and are left out. Decoders were
    fitted on the points that the network was trained on.

    Args:
        readings: Rows with the columns `units.COLUMNS` and any others.
    """
    readings = readings.with_columns(pl.col("fitted_on").fill_null("training"))
    of_pixels = (pl.col("protocol_version") == 1) & (pl.col("layer") == INPUT)
    once = pl.col("epoch").is_null() & ((pl.col("labels") == "corrupted") | (pl.col("rate") == 0))
    there = readings.schema
    values = [pl.lit(value).cast(there[name]).alias(name) for name, value in _NO_NETWORK.items()]
    name = pl.format("{} of {}, {}", pl.lit(PIXELS), "dataset", "seed").cast(there["network_id"])
    pixels = readings.filter(of_pixels, once).with_columns(*values, network_id=name)
    return pl.concat([readings.filter(~of_pixels), pixels])
