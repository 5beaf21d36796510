"""The overview of a suite: its pairs in the order of their room, and what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memgen_leaderboard.page.overview import (
    WIDTH,
    Excess,
    Pair,
    finding,
    overview,
    place,
    roomiest,
    scale,
)
from memgen_leaderboard.scoring.suite_scores import all_scores

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench


def pair(name: str, excess: float, half_width: float | None) -> Pair:
    chosen = Excess(decoder="chosen", excess=excess, half_width=half_width)
    return Pair(
        name=name,
        headroom="9.0",
        control="80.0",
        chosen=chosen,
        best=None,
        published=None,
        early=None,
    )


def test_the_finding_says_where_more_where_nothing_and_where_less_is_held() -> None:
    pairs = [pair("a", 0.2, 0.1), pair("b", -0.01, 0.1), pair("c", -0.3, 0.1), pair("d", 0.1, 0.2)]
    assert finding(pairs) == (
        "The memorized networks hold more than the controls: a (+20.0 ± 10.0). "
        "No difference is shown: b (-1.0 ± 10.0), d (+10.0 ± 20.0). They hold less: c (-30.0 ± "
        "10.0)."
    )
    assert "nothing is shown" in finding([pair("a", 0.2, None)])


def test_all_intervals_and_zero_are_within_the_scale() -> None:
    pairs = [pair("a", 0.2, 0.1), pair("b", 0.1, None)]
    assert scale(pairs) == pytest.approx((0.0, 0.3))
    assert scale([pair("c", -0.3, 0.1)]) == pytest.approx((-0.4, 0.0))
    assert place(0.0, (0.0, 0.3)) == 2
    assert place(0.3, (0.0, 0.3)) == WIDTH - 2
    assert place(0.0, (0.0, 0.0)) == 2


def test_the_pair_with_the_most_room_comes_first(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.cell(0.6, 0.4, 0.7, model="mlp", seed=seed)
        bench.cell(0.6, 0.4, 0.9, model="cnn", seed=seed)
        for model in ("mlp", "cnn"):
            bench.decode({"fc1": (0.5, 0.65)}, model=model, seed=seed)
    (scores,) = all_scores(bench.stored(tmp_path))
    found = overview(scores)
    assert [each.name for each in found] == ["cnn on digits", "mlp on digits"]
    assert roomiest(scores) == "cnn on digits"
    assert float(found[0].headroom) > float(found[1].headroom)
    assert found[0].published is not None
    assert found[0].published.decoder == "masc"
