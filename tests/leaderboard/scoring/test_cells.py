"""What a cell's decoders share, and the mean room above its control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.readings import frame
from memgen_leaderboard.scoring.cells import cells, mean_headroom, sources
from memgen_leaderboard.scoring.controls import control_readings
from memgen_leaderboard.scoring.units import current

if TYPE_CHECKING:
    import polars as pl

    from helpers.readings import Bench


def controls(bench: Bench) -> pl.DataFrame:
    return control_readings(current(frame(bench.rows)), bench.units(), "corrupted", "training")


def test_a_cell_averages_its_networks_whatever_read_them(bench: Bench) -> None:
    for seed in range(2):
        bench.cell(0.7, 0.4 + seed / 10, 0.9, seed=seed, control=0.5 + seed / 10)
    bench.decode({"fc1": (0.5, 0.5)}, decoder="rare")
    (cell,) = cells(bench.units(), controls(bench)).iter_rows(named=True)
    means = (cell["readout"], cell["control"], cell["headroom"], cell["networks"])
    assert means == (pytest.approx(0.45), pytest.approx(0.55), pytest.approx(0.35), 2)


def test_references_are_those_of_their_cell(bench: Bench) -> None:
    bench.cell(0.7, 0.4, 0.9).cell(0.7, 0.4, 0.9, rate=0.6)
    bench.decode({"fc1": (0.5, 0.8)}, decoder="early-stopped", rate=0.6)
    found = cells(bench.units(), controls(bench)).select("rate", "early-stopped", "best-epoch")
    assert found.rows() == [(0.4, None, None), (0.6, 0.8, None)]


def test_a_source_alone_is_averaged_over_the_networks_that_are_compared(bench: Bench) -> None:
    for seed in range(2):
        bench.cell(0.7, 0.4, 0.9, seed=seed, control=0.5 + seed / 10)
    whole, one = bench.units(), bench.units().filter(seed=1)
    accuracies = [sources(part, controls(bench))["control"][0] for part in (whole, one)]
    assert accuracies == pytest.approx([0.55, 0.6])


def test_headroom_is_averaged_over_cells_with_a_ceiling(bench: Bench) -> None:
    bench.cell(0.7, 0.4, 0.9, control=0.5).cell(0.7, 0.4, 0.9, control=0.95, rate=0.6)
    bench.decode({"fc1": (0.5, 0.7)}, seed=3, rate=0.2).features(0.1, seed=3, rate=0.2)
    found = cells(bench.units(), controls(bench))
    assert mean_headroom(found) == pytest.approx((0.4 - 0.05) / 2)
    assert mean_headroom(found.filter(rate=0.2)) is None
