"""The report on a suite as Markdown: its result in short, its board, and all other tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memgen_leaderboard.scoring.critical_difference import LEAST_BLOCKS, LEAST_DECODERS
from memgen_leaderboard.tables import boards
from memgen_leaderboard.tables.markdown import escape, markdown
from memgen_leaderboard.tables.notes import board_notes, in_short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.text import Table

NO_MEAN_RANKS = (
    f"Mean ranks over data sets are not given: they need {LEAST_BLOCKS} independent data sets and "
    f"{LEAST_DECODERS} ranked decoders. Models that share a data set share images and noise."
)


def board_tables(found: Sequence[Scores]) -> str:
    """Return each suite's boards with their controls, and the summary of its pairs."""
    shown = [table for scores in found for table in suite_boards(scores)]
    return "\n\n".join(map(markdown, shown))


def suite_boards(scores: Scores) -> list[Table]:
    """Return board, controls and gains of each pair, a summary of several, and lost networks."""
    shown = [
        table
        for place, one in enumerate(scores.of_pairs)
        for table in (_board(one, place), boards.cells_table(one), boards.gains_table(one))
        if table.rows
    ]
    lost = boards.lost_table(scores) if scores.view.is_ranked else None
    return [
        *shown,
        *([boards.summary_table(scores)] if len(scores.of_pairs) > 1 else []),
        *([lost] if lost and lost.rows else []),
    ]


def _board(scores: Scores, place: int) -> Table:
    """Return the board of a pair; the first one of a suite says what its columns are."""
    return boards.main_table(scores, board_notes(scores, brief=place > 0))


def reports(found: Sequence[Scores]) -> str:
    """Return each suite's result in short, its board, and the tables behind it."""
    return "\n\n".join(map(_report, found))


# Generated parts of Markdown files: the names of their marks, and the functions that make them.
SECTIONS = {"leaderboard": board_tables, "report": reports}


def suite_tables(scores: Scores) -> list[Table]:
    """Return the tables of a suite that have rows: those of each pair, and those of all."""
    ranks = boards.mean_ranks_table(scores)
    several = len(scores.of_pairs) > 1
    shown = [
        *([boards.summary_table(scores)] if several else []),
        *(table for place in range(len(scores.of_pairs)) for table in _pair_tables(scores, place)),
        boards.sources_table(scores),
        *([ranks] if ranks else []),
        boards.comparison_table(scores),
        boards.lost_table(scores),
    ]
    return [table for table in shown if table.rows]


def _pair_tables(scores: Scores, place: int) -> Iterator[Table]:
    """Yield the tables of one pair, which is named where there are several."""
    one, several = scores.of_pairs[place], len(scores.of_pairs) > 1
    yield _board(one, place)
    for shown in (
        boards.cells_table(one),
        boards.gains_table(one),
        boards.leaders_table(one),
        boards.rates_table(one),
        boards.unranked_table(one),
    ):
        name = f"{one.pair}: {shown.title}"
        yield replace(shown, title=name) if several else shown


def _report(scores: Scores) -> str:
    name = escape(f"{scores.title}: {scores.pair}")
    parts = [
        f"### {name}",
        "\n".join(f"- {escape(sentence)}" for sentence in in_short(scores)),
        *map(markdown, suite_tables(scores)),
    ]
    if scores.critical_difference is None:
        parts.append(NO_MEAN_RANKS)
    return "\n\n".join(parts)
