"""Friedman and Nemenyi against the tables and the worked example of Demšar 2006."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from scipy import stats

from memgen_leaderboard.scoring.critical_difference import block_means, critical_difference

if TYPE_CHECKING:
    from helpers.readings import Bench

# Ranks within 14 data sets that Demšar 2006 prints in table 6, in the order of their averages.
NAMES = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
RANKS = np.array(
    [
        *([4, 3, 2, 1], [1, 2, 3, 4], [4, 1, 2, 3], [4, 1, 3, 2], [4, 2, 3, 1]),
        *([1, 2.5, 4, 2.5], [3, 2, 4, 1], [2.5, 2.5, 4, 1], [4, 3, 2, 1]),
        *([2.5, 2.5, 2.5, 2.5], [4, 2.5, 1, 2.5], [3, 2, 4, 1], [4, 1, 2, 3], [3, 1, 4, 2]),
    ]
)


def blocks(ranks: np.ndarray, names: tuple[str, ...]) -> pl.DataFrame:
    """Return accuracies that have these ranks."""
    rows = [
        {"dataset": f"d{place}", "decoder": name, "decoded": 1 - rank / 100}
        for place, row in enumerate(ranks)
        for name, rank in zip(names, row, strict=True)
    ]
    return pl.DataFrame(rows)


def test_the_worked_example_of_demsar() -> None:
    found = critical_difference(blocks(RANKS, NAMES))
    assert found is not None
    ranks = dict(found.ranks.rows())
    assert list(ranks) == ["C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"]
    averages = [ranks[name] for name in NAMES]
    assert averages == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert found.blocks == 14
    assert found.difference == pytest.approx(1.25, abs=5e-3)
    assert found.groups == (tuple(ranks),)  # none of them can be told apart
    # The paper's formula knows no ties; its statistic is 9.28.
    ties = [np.unique(row, return_counts=True)[1] for row in RANKS]
    correction = 1 - sum((t**3 - t).sum() for t in ties) / (14 * 4 * (4**2 - 1))
    assert found.statistic * correction == pytest.approx(9.28, abs=5e-3)
    assert found.p_value == pytest.approx(stats.chi2.sf(found.statistic, 3))


@pytest.mark.parametrize(
    ("decoders", "q"),
    [
        *((3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031)),
        *((9, 3.102), (10, 3.164)),
    ],
)
def test_critical_values_are_those_of_demsars_table_5(decoders: int, q: float) -> None:
    names = tuple(f"d{place}" for place in range(decoders))
    rng = np.random.default_rng(0)
    found = critical_difference(
        blocks(rng.permuted(np.tile(np.arange(decoders), (8, 1)), axis=1), names)
    )
    assert found is not None
    assert found.difference == pytest.approx(q * np.sqrt(decoders * (decoders + 1) / 48), abs=2e-3)


def test_groups_are_those_of_scikit_posthocs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it imports warns
        import scikit_posthocs
    rng = np.random.default_rng(1)
    order = np.argsort(np.argsort(np.arange(6) + rng.normal(0, 1.0, (20, 6)), axis=1), axis=1) + 1
    names = tuple("abcdef")
    found = critical_difference(blocks(order, names))
    assert found is not None
    p_values = scikit_posthocs.posthoc_nemenyi_friedman(-order).to_numpy()
    together = {frozenset((names[i], names[j])) for i, j in np.argwhere(p_values >= 0.05) if i != j}
    assert together
    assert len(found.groups) > 1
    assert {frozenset((a, b)) for g in found.groups for a in g for b in g if a != b} == together


def test_groups_are_as_large_as_they_can_be() -> None:
    order = np.tile(np.arange(1, 9), (30, 1))  # always the same order
    found = critical_difference(blocks(order, tuple("abcdefgh")))
    assert found is not None
    reach = int(found.difference)
    assert reach == 1
    assert found.groups == tuple(zip("abcdefg", "bcdefgh", strict=True))


@pytest.mark.parametrize(("count", "decoders"), [(7, 4), (8, 2), (0, 0)])
def test_few_blocks_or_decoders_have_no_critical_difference(count: int, decoders: int) -> None:
    names = NAMES[:decoders]
    schema = {"dataset": pl.String, "decoder": pl.String, "decoded": pl.Float64}
    frame = blocks(RANKS[:count, :decoders], names) if count else pl.DataFrame(schema=schema)
    assert critical_difference(frame) is None


def test_blocks_are_data_sets_and_average_their_cells(bench: Bench) -> None:
    for seed, rate, decoded in ((0, 0.2, 0.9), (0, 0.6, 0.5), (1, 0.2, 0.8), (1, 0.6, 0.6)):
        bench.cell(decoded, 0.3, 0.95, seed=seed, rate=rate)
    bench.cell(0.1, 0.1, 0.95, rate=1.0, rankable=False)
    bench.cell(0.4, 0.3, 0.95, model="cnn").cell(0.2, 0.1, 0.95, dataset="usps")
    means = block_means(bench.units()).select("dataset", "decoded").rows()
    assert means == [("digits", pytest.approx((0.85 + 0.55 + 0.4) / 3)), ("usps", 0.2)]
