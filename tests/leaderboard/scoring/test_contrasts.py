"""Differences of two readings of the same networks, paired image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memgen_leaderboard.scoring.contrasts import contrast

if TYPE_CHECKING:
    import polars as pl

    from helpers.readings import Bench

RATES = (0.4, 0.6)


def readings(bench: Bench, decoder: str) -> pl.DataFrame:
    return bench.units().filter(decoder=decoder).rename({"decoded_bits": "bits"})


def two_decoders(bench: Bench, seeds: int = 4) -> Bench:
    for seed in range(seeds):
        for rate in RATES:
            own = {"seed": seed, "rate": rate}
            bench.decode({"fc1": (0.5, 0.5 + 0.01 * seed)}, **own)
            bench.decode({"fc1": (0.5, 0.3 + 0.01 * seed + rate / 10)}, decoder="ncm", **own)
    return bench


def test_the_difference_is_that_of_the_means_in_each_group(bench: Bench) -> None:
    two_decoders(bench)
    masc, ncm = readings(bench, "masc"), readings(bench, "ncm")
    (whole,) = contrast(masc, ncm).rows()
    assert whole[0] == pytest.approx(0.2 - 0.05)
    assert whole[2] == 2 * 4
    found = contrast(masc, ncm, ["rate"])
    assert found.columns == ["rate", "difference", "half_width", "networks"]
    assert found["rate"].to_list() == [0.4, 0.6]
    assert found["difference"].to_list() == pytest.approx([0.16, 0.14])
    assert (found["half_width"] > 0).all()
    back = contrast(ncm, masc, ["rate"])
    assert back["difference"].to_list() == pytest.approx([-0.16, -0.14])
    assert back["half_width"].to_list() == pytest.approx(found["half_width"].to_list())


def test_only_networks_with_both_count_and_groups_without_any_are_left_out(bench: Bench) -> None:
    two_decoders(bench)
    masc, ncm = readings(bench, "masc"), readings(bench, "ncm")
    found = contrast(masc, ncm.filter(rate=0.4, seed=1), ["rate"])
    assert found.select("rate", "networks").rows() == [(0.4, 1)]
    assert contrast(masc, ncm.clear(), ["rate"]).is_empty()
    assert contrast(masc, ncm.clear()).is_empty()
