"""Worlds in which it is known what networks hold: scores say so, and nothing else."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from helpers.readings import frame
from memgen_leaderboard.scoring.decoder_choice import chosen_units
from memgen_leaderboard.scoring.ranking import rank
from memgen_leaderboard.scoring.units import current, units

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    import polars as pl

    from helpers.readings import Bench, Row
    from memgen_bench.plan.suite import FittedOn

    Bits = npt.NDArray[np.bool_]

SEEDS, RATES, IMAGES, VALIDATION, CLASSES = range(5), (0.4, 0.8), 200, 100, 10
DECODERS = ("lda", "masc", "ridge")
SOURCES: dict[str, Row] = {
    "memorized": {"kind": "memorized"},
    "pixels": {"kind": "features", "model": "pixels", "init_seed": None, "order_seed": None},
    "patches/400": {
        **{"kind": "features", "model": "patches/400"},
        **{"init_seed": None, "order_seed": None},
    },
    "untrained": {"kind": "untrained", "order_seed": None},
    "random": {"kind": "random"},
}
CONTROLS = tuple(name for name in SOURCES if name != "memorized")
FITTINGS: tuple[FittedOn, ...] = ("training", "held_out", "both")


class World:
    """Readings of sources that a test decides, on images of different ease."""

    def __init__(self, bench: Bench, seed: int = 0) -> None:
        self.bench, self.rng = bench, np.random.default_rng(seed)
        self.ease = self.rng.standard_normal(IMAGES)

    def right(self, accuracy: float, luck: float = 0.02) -> Bits:
        """Draw which images are right: easy ones rather, and with some luck of the seed."""
        shift = luck * self.rng.standard_normal() / stats.norm.pdf(stats.norm.ppf(accuracy))
        scores = self.ease + self.rng.standard_normal(IMAGES)
        found: Bits = scores < np.sqrt(2) * stats.norm.ppf(accuracy) + shift
        return found

    def read(self, source: str, layer: str, right: Bits, rate: float, **columns: Any) -> None:
        """Add a reading; validation is as noisy as its labels and its points are few."""
        accuracy = float(right.mean())
        noisy = (1 - rate) * accuracy + rate / CLASSES
        validation = self.rng.binomial(VALIDATION, noisy) / VALIDATION
        memorized = None if source in ("pixels", "patches/400", "untrained") else True
        bits = {"test_correct": np.packbits(right).tobytes()}
        own = {"memorized": memorized, **SOURCES[source], **bits, **columns}
        self.bench.decode({layer: (validation, accuracy)}, rate=rate, **own)

    def networks(self, ceiling: float = 0.9) -> None:
        """Add the readouts of memorized and clean networks."""
        for seed in SEEDS:
            self.bench.clean_readout(ceiling, seed=seed)
            for rate in RATES:
                self.bench.readout(0.3, seed=seed, rate=rate)

    def board(self, fitted_on: FittedOn = "training") -> pl.DataFrame:
        return rank(self.units(fitted_on)).board

    def units(self, fitted_on: FittedOn = "training") -> pl.DataFrame:
        return units(current(frame(self.bench.rows)), fitted_on=fitted_on)

    def chosen(self) -> Row:
        """Return the scores of what each network's own validation labels choose."""
        return rank(chosen_units(self.units()), ranked=False).board.row(0, named=True)


def layer_of(source: str) -> str:
    return "features" if source in ("pixels", "patches/400") else "fc2"


def positive(board: pl.DataFrame) -> bool:
    """Say whether any decoder reads significantly more than the control."""
    return any(x > 0 and p < 0.05 for x, p in board.select("excess", "p_holm").rows())


# (a) nothing beyond pixels


def test_a_network_that_answers_as_its_pixels_do_has_no_excess(bench: Bench) -> None:
    world = World(bench)
    world.networks()
    for seed in SEEDS:
        for rate in RATES:
            right = world.right(0.7)
            for source in ("memorized", "pixels"):
                own = {"seed": seed, "decoder": "lda"}
                world.read(source, layer_of(source), right, rate, **own)
    (row,) = world.board().iter_rows(named=True)
    assert (row["excess"], row["share"], row["excess_half_width"]) == (0.0, 0.0, 0.0)


def worlds(
    new_bench: Callable[[], Bench], count: int, accuracy: Callable[[str, str, float], float]
) -> list[tuple[float, float, bool]]:
    """Return the best excess, its half width, and whether any is significant, of each world."""
    found = []
    for number in range(count):
        world = World(new_bench(), number)
        world.networks()
        for seed in SEEDS:
            for rate in RATES:
                for source in ("memorized", "pixels", "untrained"):
                    for decoder in DECODERS:
                        right = world.right(accuracy(source, decoder, rate))
                        own = {"seed": seed, "decoder": decoder}
                        world.read(source, layer_of(source), right, rate, **own)
        board = world.board()
        best = board.row(0, named=True)
        found.append((best["excess"], best["excess_half_width"], positive(board)))
    return found


def test_a_network_that_holds_what_its_pixels_hold_is_rarely_said_to_hold_more(
    new_bench: Callable[[], Bench],
) -> None:
    found = worlds(new_bench, 20, lambda *_: 0.75)
    assert sum(said for _, _, said in found) <= stats.binom.isf(1e-2, 20, 0.05)
    assert sum(excess - width <= 0 for excess, width, _ in found) >= 16


# (b) a planted direction


def test_what_only_the_network_holds_is_its_excess_and_share(bench: Bench) -> None:
    """On 40 of 200 images only the memorized network knows better; the ceiling knows 20 more."""
    world = World(bench)
    world.networks(ceiling=0.9)
    order = np.argsort(world.ease)
    known, planted = np.zeros(IMAGES, bool), np.zeros(IMAGES, bool)
    known[order[:120]], planted[order[:160]] = True, True
    for seed in SEEDS:
        for rate in RATES:
            own = {"seed": seed, "decoder": "lda"}
            world.read("memorized", "fc2", planted, rate, **own)
            for source in CONTROLS:
                world.read(source, layer_of(source), known, rate, **own)
    (row,) = world.board().iter_rows(named=True)
    assert row["excess"] == pytest.approx(0.2)
    assert row["share"] == pytest.approx(0.2 / 0.3)
    assert row["excess"] > row["excess_half_width"] > 0
    assert (row["rank"], row["p_holm"] < 1e-6) == (1, True)


def test_a_planted_direction_is_found_whatever_the_luck_of_the_seeds(
    new_bench: Callable[[], Bench],
) -> None:
    def accuracy(source: str, decoder: str, _: float) -> float:
        return 0.8 if (source, decoder) == ("memorized", "lda") else 0.6

    found = worlds(new_bench, 10, accuracy)
    assert all(said for _, _, said in found)
    assert abs(np.mean([excess for excess, _, _ in found]) - 0.2) < 0.015


# what one network gives its user


def spread_out(source: str, decoder: str) -> float:
    """Return an accuracy that depends on the decoder, and a little on what it reads."""
    of_pair = np.random.default_rng([*source.encode(), *decoder.encode()])
    return 0.7 + 0.03 * float(of_pair.standard_normal())


def chosen_worlds(
    new_bench: Callable[[], Bench], count: int, accuracy: Callable[[str, str], float]
) -> list[tuple[float, Row]]:
    """Return the best X in hindsight, and the scores of what is chosen, of each world."""
    found = []
    for number in range(count):
        world = World(new_bench(), 200 + number)
        world.networks()
        for source, place, seed, rate in product(
            ("memorized", "pixels", "untrained"), range(12), SEEDS, RATES
        ):
            own = {"seed": seed, "decoder": f"{number}-{place}"}
            right = world.right(accuracy(source, own["decoder"]))  # type: ignore[arg-type]
            world.read(source, layer_of(source), right, rate, **own)
        found.append((world.board()["excess"][0], world.chosen()))
    return found


def test_what_is_chosen_has_no_excess_where_nothing_is_held(
    new_bench: Callable[[], Bench],
) -> None:
    """The best of 12 decoders is above the control in hindsight; what is chosen is not."""
    found = chosen_worlds(new_bench, 10, spread_out)
    assert np.mean([best for best, _ in found]) > 0.005
    chosen = [(row["excess"], row["excess_half_width"]) for _, row in found]
    assert np.mean([excess for excess, _ in chosen]) < 0
    assert sum(excess > width for excess, width in chosen) <= stats.binom.isf(1e-2, 10, 0.025)


def test_what_is_chosen_finds_a_planted_direction(new_bench: Callable[[], Bench]) -> None:
    def accuracy(source: str, decoder: str) -> float:
        return spread_out(source, decoder) + 0.2 * (source == "memorized")

    for _, row in chosen_worlds(new_bench, 3, accuracy):
        assert row["excess"] > row["excess_half_width"] > 0


# (c) fairer controls


@pytest.mark.parametrize(
    ("source", "layer"),
    [("untrained", "fc1"), ("untrained", "fc2"), ("random", "fc3"), ("patches/400", "features")],
)
def test_a_treatment_that_helps_both_makes_no_excess(
    source: str, layer: str, new_bench: Callable[[], Bench]
) -> None:
    """Estimated statistics, whole maps or wide layers read 80 % out of either; pixels give 60 %.

    If only the memorized network were treated so, it would seem to hold 20 points.
    """
    excess = {}
    for is_fair in (False, True):
        world = World(new_bench())
        world.networks()
        for seed in SEEDS:
            for rate in RATES:
                own = {"seed": seed, "decoder": "lda"}
                good, poor = world.right(0.8, 0.0), world.right(0.6, 0.0)
                world.read("memorized", "fc2", good, rate, **own)
                world.read("pixels", "features", poor, rate, **own)
                world.read(source, layer, good if is_fair else poor, rate, **own)
        excess[is_fair] = world.board()["excess"][0]
    assert excess[False] > 0.1
    assert excess[True] == pytest.approx(0.0)


# (d) the null


@pytest.mark.parametrize("fitted_on", FITTINGS)
def test_the_null_stays_null(fitted_on: FittedOn, new_bench: Callable[[], Bench]) -> None:
    """Labels that say nothing: every source is at chance, by every decoder and fitting."""
    said = 0
    for number in range(5):
        world = World(new_bench(), 100 + number)
        world.networks()
        for seed in SEEDS:
            for source, points, decoder in product(SOURCES, FITTINGS, DECODERS[:2]):
                own = {"seed": seed, "decoder": decoder, "fitted_on": points}
                right = world.right(1 / CLASSES, 0.005)
                world.read(source, layer_of(source), right, RATES[0], **own)
        board = world.board(fitted_on)
        assert board["excess"].abs().max() < 0.05  # type: ignore[operator]
        said += positive(board)
    assert said <= stats.binom.isf(1e-2, 5, 0.05)
