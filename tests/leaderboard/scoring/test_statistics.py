"""Intervals over seeds and test images that are crossed: coverage, limits, and Holm's rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from memgen_leaderboard.scoring.statistics import Answers, Array, Crossed, crossed, holm

if TYPE_CHECKING:
    import numpy.typing as npt

MEAN = np.ones((1, 1))


def answers(
    correct: Array, cells: npt.ArrayLike = 0, seeds: npt.ArrayLike | None = None
) -> Answers:
    """Make answers of quantities × networks × images; by default each network is a seed."""
    networks = correct.shape[1]
    return Answers(
        correct=correct,
        cells=np.broadcast_to(np.asarray(cells), networks),
        seeds=np.arange(networks) if seeds is None else np.asarray(seeds),
    )


def draw(
    rng: np.random.Generator,
    of_seeds: float,
    of_images: float,
    *,
    data_sets: int = 1,
    seeds: int = 5,
    images: int = 200,
) -> Array:
    """Draw data sets × seeds × images around zero; residuals have a standard deviation of 0.4."""
    noise = rng.standard_normal
    return (
        of_seeds * noise((data_sets, seeds, 1))
        + of_images * noise((data_sets, 1, images))
        + 0.4 * noise((data_sets, seeds, images))
    )


def held(found: Crossed, truth: Array) -> float:
    """Return how many intervals of the means hold the truth."""
    half_widths = found.half_widths(np.eye(len(found.means)))
    return float(np.mean(np.abs(found.means - truth) <= half_widths))


# coverage, each of a thousand quantities being a data set of its own


@pytest.mark.parametrize(
    ("of_seeds", "of_images"),
    [(0.0, 0.3), (0.02, 0.3), (0.05, 0.1), (0.2, 0.3), (0.05, 0.0), (0.0, 0.0)],
)
def test_intervals_hold_with_five_seeds(of_seeds: float, of_images: float) -> None:
    drawn = draw(np.random.default_rng(3), of_seeds, of_images, data_sets=1000)
    assert 0.93 <= held(crossed([answers(drawn)]), np.zeros(1000)) <= 0.97


def test_intervals_hold_for_right_and_wrong_answers() -> None:
    right = draw(np.random.default_rng(8), 0.05, 0.3, data_sets=1000) > -0.4
    truth = stats.norm.cdf(0.4 / np.sqrt(0.05**2 + 0.3**2 + 0.4**2))
    assert 0.93 <= held(crossed([answers(right.astype(float))]), np.full(1000, truth)) <= 0.97


def test_intervals_hold_over_two_data_sets_and_several_cells() -> None:
    rng = np.random.default_rng(4)
    shift = 0.03 * rng.standard_normal((1000, 5, 1))  # a seed is the same in all data sets
    samples = []
    for images in (200, 60):
        one, other = (draw(rng, 0.02, 0.3, data_sets=1000, images=images) for _ in range(2))
        both = np.concatenate([one + shift, other + shift + 5], axis=1)
        samples.append(answers(both, np.repeat([0, 1], 5), np.tile(np.arange(5), 2)))
    assert 0.93 <= held(crossed(samples), np.full(1000, 2.5)) <= 0.97


def test_intervals_of_few_seeds_hold_for_these_networks_on_other_images() -> None:
    rng = np.random.default_rng(5)
    own = 0.5 * rng.standard_normal((1000, 2, 1))
    found = crossed([answers(own + draw(rng, 0.0, 0.3, data_sets=1000, seeds=2))])
    assert found.seeds is None
    assert 0.93 <= held(found, own.mean(axis=(1, 2))) <= 0.97


def test_seeds_that_no_two_networks_of_a_cell_have_say_nothing_of_seeds() -> None:
    drawn = draw(np.random.default_rng(6), 0.1, 0.3, seeds=4)
    assert crossed([answers(drawn, cells=[0, 1, 2, 3])]).seeds is None
    assert crossed([answers(drawn, cells=[0, 0, 1, 1])]).seeds is None
    assert crossed([answers(drawn, cells=0)]).freedom == 3
    assert crossed([answers(drawn, cells=0), answers(drawn[:, :3])]).freedom == 2


def test_intervals_hold_where_cells_have_seeds_of_their_own() -> None:
    drawn = draw(np.random.default_rng(8), 0.1, 0.3, data_sets=1000, seeds=9)
    found = crossed([answers(drawn, np.repeat([0, 1, 2], 3))])
    assert held(found, np.zeros(1000)) >= 0.93


def test_intervals_hold_where_a_cell_lacks_a_seed() -> None:
    rng = np.random.default_rng(7)
    cells = [draw(rng, 0.1, 0.3, data_sets=1000) + 5 * cell for cell in (0, 1)]
    drawn = np.concatenate([cells[0], cells[1][:, :4]], axis=1)
    cell, seed = [0] * 5 + [1] * 4, [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert 0.93 <= held(crossed([answers(drawn, cell, seed)]), np.full(1000, 2.5)) <= 0.97


@pytest.mark.parametrize(
    "of_seeds", [0.1, *(pytest.param(s, marks=pytest.mark.slow) for s in (0.0, 0.03))]
)
def test_small_p_values_are_rare_though_seeds_are_few(of_seeds: float) -> None:
    """Many pairs are compared, so the far tail must hold as well as the interval does."""
    rng, level, small = np.random.default_rng(6), 0.05 / 78, 0.0
    for _ in range(10):
        drawn = draw(rng, of_seeds, 0.3, data_sets=1000, images=40)
        small += np.sum(crossed([answers(drawn)]).p_values(np.eye(1000)) < level)
    assert small <= stats.binom.isf(1e-3, 10_000, level)


# limits


def test_without_an_effect_of_seeds_the_interval_is_that_of_the_images() -> None:
    right = np.random.default_rng(0).random(300) < 0.5
    same = np.broadcast_to(right.astype(float), (1, 5, 300))
    expected = 1.96 * same[0, 0].std(ddof=1) / np.sqrt(300)
    assert crossed([answers(same)]).half_widths(MEAN)[0] == pytest.approx(expected, rel=1e-4)


def test_without_an_effect_of_images_the_interval_is_that_of_the_seeds() -> None:
    of_seeds = np.array([0.1, 0.3, 0.2, 0.6])
    expected = stats.ttest_1samp(of_seeds, 0)
    interval = expected.confidence_interval()
    found = crossed([answers(np.broadcast_to(of_seeds[None, :, None], (1, 4, 50)))])
    assert found.half_widths(MEAN)[0] == pytest.approx((interval.high - interval.low) / 2, rel=1e-3)
    assert found.p_values(MEAN)[0] == pytest.approx(expected.pvalue, rel=1e-3)


def test_what_differs_between_cells_is_no_uncertainty() -> None:
    drawn = draw(np.random.default_rng(0), 0.1, 0.2)
    widths = []
    for apart in (0.0, 10.0):
        both = np.concatenate([drawn, drawn + apart], axis=1)
        sample = answers(both, np.repeat([0, 1], 5), np.tile(np.arange(5), 2))
        widths.append(crossed([sample]).half_widths(MEAN)[0])
    assert widths[0] == pytest.approx(widths[1])


def test_networks_of_one_seed_are_one_repetition() -> None:
    drawn = draw(np.random.default_rng(0), 0.1, 0.2)
    one, twice = answers(drawn), answers(np.tile(drawn, (1, 2, 1)), seeds=np.tile(np.arange(5), 2))
    widths = [crossed([each]).half_widths(MEAN)[0] for each in (one, twice)]
    assert widths[0] == pytest.approx(widths[1])


def test_a_paired_difference_is_sharper_than_its_parts() -> None:
    shared = draw(np.random.default_rng(0), 0.2, 0.3)
    own = 0.01 * np.random.default_rng(1).standard_normal((2, 5, 200))
    found = crossed([answers(shared + own)])
    difference, one = found.half_widths(np.array([[1.0, -1.0], [1.0, 0.0]]))
    assert difference < one / 10


def test_a_contrast_is_the_same_as_the_answers_combined() -> None:
    drawn = np.concatenate([draw(np.random.default_rng(seed), 0.1, 0.3) for seed in (0, 1)])
    found, combined = crossed([answers(drawn)]), crossed([answers(drawn[:1] - 2 * drawn[1:])])
    contrast = np.array([[1.0, -2.0]])
    assert found.half_widths(contrast) == pytest.approx(combined.half_widths(MEAN))
    assert found.p_values(contrast) == pytest.approx(combined.p_values(MEAN))


def some(mean: float = 0.1) -> Crossed:
    return crossed([answers(mean + draw(np.random.default_rng(2), 0.02, 0.3))])


def test_a_p_value_belongs_to_its_interval() -> None:
    half_width = some().half_widths(MEAN)[0]
    at_the_edge = some(0.1 + half_width - some().means[0])
    assert at_the_edge.p_values(MEAN)[0] == pytest.approx(0.05, rel=1e-6)


def test_what_never_differs_has_no_width_and_no_doubt() -> None:
    same = crossed([answers(np.ones((2, 5, 40)) * np.array([0.5, 0.25])[:, None, None])])
    contrasts = np.array([[1.0, -1.0], [1.0, -2.0]])
    assert same.half_widths(contrasts).tolist() == [0.0, 0.0]
    apart, equal = same.p_values(contrasts)
    assert (apart, equal) == (0.0, pytest.approx(1.0))


@pytest.mark.usefixtures("no_collections")
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="holm")[1]
    assert holm(np.array(p_values)) == pytest.approx(expected)
