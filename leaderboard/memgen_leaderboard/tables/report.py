"""The report on a suite as Markdown: its result in short, its board, and all other tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memgen_leaderboard.scoring.critical_difference import LEAST_BLOCKS, LEAST_DECODERS
from memgen_leaderboard.tables import boards
from memgen_leaderboard.tables.markdown import escape, markdown
from memgen_leaderboard.tables.notes import board_notes, in_short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.text import Table

NO_MEAN_RANKS = (
    f"Mean ranks over models and data sets are not given: they need {LEAST_BLOCKS} (model, "
    f"data set) pairs and {LEAST_DECODERS} ranked decoders."
)


def board_tables(found: Sequence[Scores]) -> str:
    """Return each suite's board and its accuracies by rate."""
    shown = [
        table
        for scores in found
        for table in (
            boards.main_table(scores, board_notes(scores)),
            boards.rates_table(scores),
        )
    ]
    return "\n\n".join(map(markdown, shown))


def reports(found: Sequence[Scores]) -> str:
    """Return each suite's result in short, its board, and the tables behind it."""
    return "\n\n".join(map(_report, found))


# Generated parts of Markdown files: the names of their marks, and the functions that make them.
SECTIONS = {"leaderboard": board_tables, "report": reports}


def suite_tables(scores: Scores) -> list[Table]:
    """Return the board, and the tables behind it that have rows."""
    ranks = boards.mean_ranks_table(scores)
    shown = [
        boards.main_table(scores, board_notes(scores)),
        boards.controls_table(scores),
        boards.leaders_table(scores),
        boards.rates_table(scores),
        boards.blocks_table(scores),
        *([ranks] if ranks else []),
        boards.unranked_table(scores),
        boards.comparison_table(scores),
        boards.lost_table(scores),
    ]
    return [table for table in shown if table.rows]


def _report(scores: Scores) -> str:
    board, *others = suite_tables(scores)
    parts = [
        f"### {escape(board.title)}",
        "\n".join(f"- {escape(sentence)}" for sentence in in_short(scores)),
        *map(markdown, [replace(board, title="Board"), *others]),
    ]
    if scores.critical_difference is None:
        parts.append(NO_MEAN_RANKS)
    return "\n\n".join(parts)
