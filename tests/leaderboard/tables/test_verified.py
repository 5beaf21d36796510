"""Verified decoders are marked on the board; files that are no records are left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from memgen_leaderboard.scoring.suite_scores import all_scores
from memgen_leaderboard.tables.boards import main_table
from memgen_leaderboard.tables.verified import verified

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench


def test_a_verified_decoder_is_marked_and_nobody_else(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.9).decode({"fc1": (0.5, 0.65)}, decoder="other")
    folder = bench.stored(tmp_path)
    (scores,) = all_scores(folder)
    assert not any("✓" in "".join(row) for row in main_table(scores).rows)
    records = folder / "verified"
    records.mkdir()
    record = {"decoder": "other", "recomputed": ["a", "b"]}
    (records / "a.json").write_text(json.dumps(record))
    (records / "b.json").write_text(json.dumps(record | {"decoder": "not here"}))
    (records / "c.json").write_text("[1, 2]")
    (records / "d.json").mkdir()
    assert verified(folder) == {"other": 2, "not here": 2}
    board = main_table(scores)
    assert {row[1] for row in board.rows if row[-1].endswith("✓")} == {"other"}
    assert [note for note in board.notes if "✓" in note] == [
        "✓: a random sample was computed again, the same bit by bit: other (2 readings)."
    ]
