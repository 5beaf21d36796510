"""Means and their contrasts as units give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memgen_leaderboard.scoring.estimates import (
    CONTROL,
    IMAGES,
    SEEDS_AND_IMAGES,
    estimates,
)

if TYPE_CHECKING:
    from helpers.readings import Bench

MASC, NCM = ("decoded", "masc"), ("decoded", "ncm")


def two_decoders(bench: Bench, seeds: int = 3) -> Bench:
    for seed in range(seeds):
        bench.cell(0.6, 0.4, 0.8, seed=seed).cell(0.5, 0.3, 0.8, seed=seed, rate=0.6)
        bench.decode({"fc1": (0.5, 0.7)}, seed=seed, decoder="ncm")
        bench.decode({"fc1": (0.5, 0.6)}, seed=seed, decoder="ncm", rate=0.6)
    return bench


def test_means_are_those_of_the_units(bench: Bench) -> None:
    found = estimates(two_decoders(bench).units())
    assert found.decoders == ["masc", "ncm"]
    assert [found.mean(one) for one in (MASC, NCM, CONTROL)] == pytest.approx([0.55, 0.65, 0.35])


def test_every_cell_counts_alike(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8).cell(0.7, 0.5, 0.8, seed=1).cell(0.2, 0.1, 0.8, rate=0.6)
    found = estimates(bench.units())
    assert found.mean(MASC) == pytest.approx((0.65 + 0.2) / 2)
    assert found.mean(CONTROL) == pytest.approx((0.45 + 0.1) / 2)


def test_what_a_network_lacks_is_not_there(bench: Bench) -> None:
    two_decoders(bench).decode({"fc1": (0.5, 0.7)}, seed=9).decode(
        {"fc1": (0.5, 0.7)}, seed=9, decoder="ncm"
    )
    found = estimates(bench.units())
    assert CONTROL not in found.places
    with pytest.raises(KeyError):
        found.contrast({CONTROL: 1})


def test_a_contrast_of_means_is_that_of_the_numbers(bench: Bench) -> None:
    found = estimates(two_decoders(bench).units())
    contrast = found.contrast({NCM: 1, MASC: -1})
    assert contrast @ found.crossed.means == pytest.approx(0.1)


@pytest.mark.parametrize(("seeds", "interval"), [(2, IMAGES), (3, SEEDS_AND_IMAGES)])
def test_fewer_than_three_seeds_leave_the_test_images(
    seeds: int, interval: str, bench: Bench
) -> None:
    assert estimates(two_decoders(bench, seeds).units()).interval == interval


def test_data_sets_of_several_sizes_are_kept_apart(bench: Bench) -> None:
    for dataset, size, accuracy in (("digits", 200, 0.6), ("usps", 50, 0.8), ("digits", 100, 0.1)):
        own = {"dataset": dataset, "test_count": size, "network_id": f"{dataset}{size}"}
        bench.decode({"fc1": (0.5, accuracy)}, **own).readout(accuracy / 2, **own)
    found = estimates(bench.units())
    assert found.mean(MASC) == pytest.approx(0.5)
