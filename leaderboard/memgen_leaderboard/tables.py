"""The leaderboard as a table for terminals and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.errors import StoreError
from memgen_bench.files import write_atomically
from memgen_leaderboard.ranking import LEAST_COVERAGE
from memgen_leaderboard.suite_scores import all_scores
from memgen_leaderboard.units import UNIT

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from memgen_leaderboard.suite_scores import Scores

BEGIN, END = "<!-- leaderboard:begin -->", "<!-- leaderboard:end -->"


@dataclass(frozen=True)
class Board:
    """A table ready to be shown.

    Attributes:
        title: Suite and size.
        columns: Headings.
        rows: Cells as text.
        notes: What a reader must know, a sentence each.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def boards(results: Path) -> list[Board]:
    """Return a board for each suite in a results folder that has something to rank.

    Raises:
        StoreError: There is no folder, or it is damaged.
    """
    return [_board(scores) for scores in all_scores(results)]


def _board(scores: Scores) -> Board:
    frame, table, rates = scores.units, scores.board, scores.rates
    draws = list(rates.select("noise", "rate").unique().sort("noise", "rate").iter_rows())
    accuracies = {(d, n, r): a for d, n, r, a, *_ in rates.iter_rows()}
    rows = [_readout_row(frame, draws)]
    rows += [_decoder_row(row, draws, accuracies) for row in table.iter_rows(named=True)]
    names = {noise for noise, _ in draws}
    headings = [f"{'' if len(names) == 1 else noise + ' '}ρ {rate:g}" for noise, rate in draws]
    columns = ("#", "decoder", "recovery", "accuracy", "oracle layer", "vs untrained", "vs pixels")
    return Board(
        title=_title(scores.title, frame),
        columns=(*columns, *headings),
        rows=tuple(rows),
        notes=(*_notes(frame), *_left_out(scores.readings), *_not_ranked(table)),
    )


def _decoder_row(
    row: dict[str, Any],
    draws: list[tuple[str, float]],
    accuracies: dict[tuple[str, str, float], float],
) -> tuple[str, ...]:
    return (
        str(row["rank"] or "–"),
        row["decoder"],
        *(_percent(row[name]) for name in ("recovery", "decoded", "oracle")),
        *(_points(row[name]) for name in ("gain_untrained", "gain_pixels")),
        *(_percent(accuracies.get((row["decoder"], *draw))) for draw in draws),
    )


def _title(suite: str, frame: pl.DataFrame) -> str:
    data, models = frame["dataset"].unique().sort(), frame["model"].unique().sort()
    return (
        f"{suite}: {', '.join(data)} × {', '.join(models)}, noise "
        f"{', '.join(frame['noise'].unique().sort())}, {frame['seed'].n_unique()} seeds"
    )


def _readout_row(frame: pl.DataFrame, draws: list[tuple[str, float]]) -> tuple[str, ...]:
    networks = frame.unique(UNIT)
    per_draw = [
        networks.filter(pl.col("noise") == noise, pl.col("rate") == rate)["readout"].mean()
        for noise, rate in draws
    ]
    overall = networks.filter(pl.col("rankable"))["readout"].mean()
    return ("", "readout", _percent(0.0), _percent(overall), "", "", "", *map(_percent, per_draw))


def _notes(frame: pl.DataFrame) -> tuple[str, ...]:
    ranked = frame.filter(pl.col("rankable"))
    networks = ranked.select(UNIT).unique().height
    return (
        f"Test accuracy on true labels in %, decoders fitted on corrupted labels of memorized "
        f"networks; the first columns are means over {networks} networks at rates at which the "
        "noise leaves the true label the likeliest.",
        f"Recovery is Σ(accuracy - readout) / Σ(ceiling - readout); the ceiling is the clean "
        f"network's readout ({_percent(ranked['ceiling'].mean())} %).",
        "The gains compare with the same decoder on the untrained network and on raw pixels, in "
        "points.",
        "A rank is 1 + the number of decoders that are surely better (paired comparisons over "
        "seeds and test images at 95 %, Holm's correction): those that share one cannot be told "
        "apart.",
        _layer_note(frame),
    )


def _left_out(readings: pl.DataFrame) -> list[str]:
    failed = readings.filter(pl.col("status") == "failed").height
    lost = readings.filter(~pl.col("memorized"))["network_id"].n_unique()
    return [
        *[f"{failed} readings failed."] * bool(failed),
        *[f"{lost} networks did not memorize and are left out."] * bool(lost),
    ]


def _not_ranked(table: pl.DataFrame) -> list[str]:
    short = table.filter(pl.col("coverage") < LEAST_COVERAGE)["decoder"].to_list()
    return [f"Not ranked, too few readings: {', '.join(short)}."] * bool(short)


def _layer_note(frame: pl.DataFrame) -> str:
    if "validation" in frame["chosen_by"]:
        counts = sorted(set(frame["validation_count"].to_list()))
        points = " or ".join(str(count) for count in counts)
        return (
            f"The layer is chosen on noisy validation labels ({points} points) pooled over the "
            "seeds; the oracle layer, chosen on test, is shown and never ranked."
        )
    return "No validation part: the layer is the last before the logits; the oracle is not ranked."


def _percent(value: object) -> str:
    return f"{_steady(value):.1f}" if isinstance(value, float) else "–"


def _points(value: object) -> str:
    return f"{_steady(value):+.1f}" if isinstance(value, float) else "–"


def _steady(value: float) -> float:
    """Return percent without the rounding of a sum, whose order is not always the same."""
    return round(100 * value, 9)


def show(board: Board, console: Console) -> None:
    """Print a board to a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(board.title), title_justify="left", box=None, pad_edge=False)
    for column in board.columns:
        text = column == "decoder"
        table.add_column(column, justify="left" if text else "right", no_wrap=text)
    for row in board.rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    for note in board.notes:
        console.print(Text(note))


def markdown(board: Board) -> str:
    """Return a board as Markdown, its text escaped."""

    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(_escape(cell) for cell in cells) + " |"

    rule = "|" + "|".join(" :-- " if c == "decoder" else " --: " for c in board.columns) + "|"
    lines = [line(board.columns), rule, *(line(row) for row in board.rows)]
    notes = [_escape(note) for note in board.notes]
    return "\n".join([f"**{_escape(board.title)}**", "", *lines, "", " ".join(notes)])


def _escape(text: str) -> str:
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return text


def update(path: Path, content: str, *, check: bool) -> bool:
    """Put generated text between the two marks in a file; return whether it was there already.

    Args:
        path: The file.
        content: The text.
        check: Leave the file as it is.

    Raises:
        StoreError: The file is not there or has no marks.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); make it first") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise StoreError(f"{path}: needs the marks {BEGIN} and {END} around the generated part")
    fresh = f"{before}{BEGIN}\n{content}\n{END}{after}"
    if fresh != text and not check:
        write_atomically(path, fresh.encode())
    return fresh == text
