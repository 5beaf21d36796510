"""Means and their contrasts as units give them, and the interval of recovery, a ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from memgen_leaderboard.scoring.estimates import (
    CEILING,
    IMAGES,
    READOUT,
    SEEDS_AND_IMAGES,
    Estimates,
    estimates,
)
from memgen_leaderboard.scoring.statistics import Answers, crossed

if TYPE_CHECKING:
    from helpers.readings import Bench

MASC, NCM = ("decoded", "masc"), ("decoded", "ncm")


def two_decoders(bench: Bench, seeds: int = 3) -> Bench:
    for seed in range(seeds):
        bench.cell(0.6, 0.4, 0.8, seed=seed).cell(0.5, 0.3, 0.8, seed=seed, rate=0.6)
        bench.decode({"fc1": (0.5, 0.7), "input": (0.5, 0.65)}, seed=seed, decoder="ncm")
        bench.decode({"fc1": (0.5, 0.6), "input": (0.5, 0.55)}, seed=seed, decoder="ncm", rate=0.6)
    return bench


def test_means_are_those_of_the_units(bench: Bench) -> None:
    found = estimates(two_decoders(bench).units())
    assert found.decoders == ["masc", "ncm"]
    means = [found.mean(quantity) for quantity in (MASC, NCM, READOUT, CEILING)]
    assert means == pytest.approx([0.55, 0.65, 0.35, 0.8])
    assert found.headroom == pytest.approx(0.45)


def test_what_a_network_lacks_is_not_there(bench: Bench) -> None:
    found = estimates(two_decoders(bench).units())
    assert ("pixels", "ncm") in found.places
    assert ("pixels", "masc") not in found.places
    with pytest.raises(KeyError):
        found.contrast({("pixels", "masc"): 1})


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
    assert found.mean(READOUT) == pytest.approx(0.25)
    assert found.headroom is None
    with pytest.raises(ValueError, match="without headroom"):
        found.recovery("masc")


def test_the_gradient_of_recovery_is_its_slope(bench: Bench) -> None:
    found = estimates(two_decoders(bench).units())

    def recovery(means: np.ndarray) -> float:
        decoded, readout, ceiling = (means[found.places[q]] for q in (NCM, READOUT, CEILING))
        return float((decoded - readout) / (ceiling - readout))

    means, step = found.crossed.means, 1e-6
    slopes = [
        (recovery(means + step * way) - recovery(means - step * way)) / (2 * step)
        for way in np.eye(len(means))
    ]
    assert found.recovery("ncm") == pytest.approx(np.array(slopes), abs=1e-6)


@pytest.mark.parametrize(
    "spread", [0.05, *(pytest.param(s, marks=pytest.mark.slow) for s in (0.0, 0.2))]
)
def test_intervals_of_recovery_hold_with_five_seeds(spread: float) -> None:
    """Accuracies 0.9, 0.75 and 0.5, images of different ease, seeds that shift all of them."""
    rng, held = np.random.default_rng(1), []
    accuracies = np.array([0.5, 0.9, 0.75])
    limits = stats.norm.ppf(accuracies) * np.sqrt(1 + 0.6**2 + 2 * spread**2)
    for _ in range(1000):
        noise = rng.standard_normal
        ease = 0.6 * noise((1, 1, 200)) + spread * (noise((1, 5, 1)) + noise((3, 5, 1)))
        right = ease + noise((3, 5, 200)) < limits[:, None, None]
        sample = Answers(
            correct=right.astype(np.uint8), cells=np.zeros(5, np.int64), seeds=np.arange(5)
        )
        found = Estimates(crossed([sample]), {READOUT: 0, CEILING: 1, MASC: 2})
        assert found.headroom is not None
        recovery = (found.mean(MASC) - found.mean(READOUT)) / found.headroom
        half_width = found.crossed.half_widths(found.recovery("masc")[None])[0]
        held.append(abs(recovery - 0.25 / 0.4) <= half_width)
    assert 0.93 <= np.mean(held) <= 0.97
