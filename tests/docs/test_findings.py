"""The report comes from the committed results; the studies are in tests/leaderboard."""

from __future__ import annotations

from functools import partial

from helpers.pages import DOCS, ROOT
from memgen_leaderboard.scoring.suite_scores import all_scores
from memgen_leaderboard.tables.markdown import update
from memgen_leaderboard.tables.report import SECTIONS


def test_the_report_comes_from_the_committed_results() -> None:
    found = all_scores(ROOT / "leaderboard" / "results")
    parts = {name: partial(make, found) for name, make in SECTIONS.items()}
    assert update(DOCS / "findings" / "board.md", parts, check=True)
