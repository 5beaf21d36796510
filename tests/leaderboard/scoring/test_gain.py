"""Conditional gain: a layer beside features of the images, minus these alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from helpers.readings import frame
from memgen_leaderboard.scoring.gain import gains
from memgen_leaderboard.scoring.suite_scores import all_scores
from memgen_leaderboard.scoring.units import by_outcome, current
from memgen_leaderboard.tables.boards import gains_table

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from helpers.readings import Bench

SEEDS, IMAGES = range(5), 100
BOTH: dict[str, Any] = {"decoder": "ridge|pixels"}
ALONE: dict[str, Any] = {"decoder": "ridge"}
KINDS: dict[str, dict[str, Any]] = {
    "memorized": {},
    "untrained": {"kind": "untrained", "memorized": None, "order_seed": None},
    "random": {"kind": "random"},
}


def bits(count: float) -> dict[str, Any]:
    """Return which images are right: the first ones."""
    return {"test_correct": np.packbits(np.arange(IMAGES) < round(IMAGES * count)).tobytes()}


def world(bench: Bench, **adds: float) -> None:
    """Features alone read 60 %; a layer of each kind of network adds something to them."""
    for seed in SEEDS:
        own = {"seed": seed, "test_count": IMAGES}
        bench.features(0.6, **ALONE, **own, **bits(0.6))
        for kind, more in adds.items():
            columns = {**BOTH, **KINDS[kind], **own}
            bench.decode({"fc1": (0.5, 0.6 + more)}, **columns, **bits(0.6 + more))
            bench.decode({"fc2": (0.4, 0.99)}, **columns, **bits(0.99))


def found(bench: Bench) -> dict[str, tuple[float, float, float, int]]:
    rows = gains(by_outcome(current(frame(bench.rows))), "corrupted", "training")
    assert set(rows.select("decoder", "features").rows()) <= {("ridge", "pixels")}
    columns = ("alone", "gain", "half_width", "networks")
    return {row[0]: row[1:] for row in rows.select("kind", *columns).iter_rows()}


def test_the_gain_is_what_the_layer_that_validation_chooses_adds(bench: Bench) -> None:
    world(bench, memorized=0.2, untrained=0.0, random=0.05)
    gain = found(bench)
    assert {kind: row[1] for kind, row in gain.items()} == {
        "memorized": pytest.approx(0.2),
        "untrained": pytest.approx(0.0),
        "random": pytest.approx(0.05),
    }
    for alone, _, _, networks in gain.values():
        assert alone == pytest.approx(0.6)
        assert networks == len(SEEDS)
    assert 0 < gain["memorized"][2] < 0.2


def test_the_same_answers_gain_nothing_with_certainty(bench: Bench) -> None:
    world(bench, memorized=0.0)
    assert found(bench)["memorized"][1:3] == (0.0, 0.0)


def test_without_the_features_alone_there_is_no_gain(bench: Bench) -> None:
    world(bench, memorized=0.2)
    bench.rows = [row for row in bench.rows if row["kind"] != "features"]
    assert found(bench) == {}


def scores(bench: Bench, folder: Path) -> Any:
    (one,) = all_scores(bench.stored(folder))
    return one


def names(board: pl.DataFrame) -> set[str]:
    return set(board["decoder"])


def test_decoders_with_features_are_shown_apart_and_rank_nowhere(
    bench: Bench, tmp_path: Path
) -> None:
    for seed in SEEDS:
        bench.cell(0.65, 0.4, 0.9, seed=seed, decoder="ridge")
        bench.features(0.4, seed=seed, **ALONE)
    plain = scores(bench, tmp_path / "plain")
    board, cells = plain.board, plain.cells
    for kind, more in (("memorized", 0.2), ("untrained", 0.3)):
        for seed in SEEDS:
            profile = {"fc1": (0.9, 0.6 + more)}
            bench.decode(profile, seed=seed, **BOTH, **KINDS[kind])
    both = scores(bench, tmp_path / "both")
    assert names(both.board) == names(board) == {"ridge"}
    assert both.cells.equals(cells)  # no control either, though best on validation
    assert both.board.drop("seconds").equals(board.drop("seconds"))
    assert gains_table(plain).rows == ()
    ((decoder, *_, features, alone, memorized, untrained, random, networks),) = gains_table(
        both
    ).rows
    assert (decoder, features, alone, networks) == ("ridge", "pixels", "40.0", "5")
    assert memorized.startswith("+40.0 ± ")
    assert untrained.startswith("+50.0 ± ")
    assert random == "–"
