"""Decoders that choose among others or add them up, and the marks that were set beforehand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from findings.cells import CELL, live, scores, with_bits
from findings.sentences import (
    DIGITS,
    NAMES,
    PAIRS,
    SHIFTED,
    SIGNALS,
    beside_the_board,
    interval,
)
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.suite_scores import Scores, all_scores
from memgen_leaderboard.tables.markdown import markdown
from memgen_leaderboard.text import percent, table

if TYPE_CHECKING:
    from collections.abc import Iterator

STUDIES = Path(__file__).parents[1] / "studies"
AUTO, STACKED, EARLY = "auto", "stacked", "early-stopped"
SOURCES = ("pixels", "patches/100", "untrained", "random")
EXCESS = ((SHIFTED, 0.4, 0.75), (SHIFTED, 0.8, 0.3))  # asked of E
BEYOND_EARLY = ((SIGNALS, 0.4, 10), (SIGNALS, 0.6, 10))  # asked, in points


@cache
def beside(name: str) -> Scores:
    """Return the scores of `auto` or `stacked` on the board's networks, and on its controls."""
    (found,) = all_scores(STUDIES / name)
    return found


def by(name: str) -> pl.DataFrame:
    """Return the readings of `auto` or `stacked` of memorized networks, in cells above chance."""
    return beside(name).units.filter(decoder=name).join(live(), on=CELL, how="semi")


def more(own: pl.DataFrame, other: pl.DataFrame) -> str:
    """Return how much more one has right than the other on the same networks, with its interval."""
    return interval(contrast(with_bits(own), with_bits(other)).row(0, named=True))


def first(**where: object) -> pl.DataFrame:
    """Return the readings of the board's decoder that reads the most, known in hindsight alone."""
    own = scores().units.join(live(), on=CELL, how="semi").filter(**where)
    ranked = own.filter(~pl.col("decoder").is_in(REFERENCES))
    of_cells = ranked.group_by(*CELL, "decoder").agg(pl.col("decoded").mean())
    means = of_cells.group_by("decoder").agg(pl.col("decoded").mean())
    return own.filter(decoder=means.sort(-pl.col("decoded"), "decoder")["decoder"][0])


def name_of(own: pl.DataFrame) -> str:
    """Return the one decoder of some readings."""
    return str(own["decoder"][0])


def over_control(own: pl.DataFrame, found: Scores) -> dict[str, float]:
    """Return how much more readings have right than the best control of some scores: X."""
    control = found.controls.filter("is_best").rename({"test_correct": "bits"})
    row: dict[str, float] = contrast(with_bits(own), control).row(0, named=True)
    return row


class _Mark(NamedTuple):
    mark: str
    asked: str
    decoder: str
    found: str
    excess: str


def marks() -> str:
    """Return each mark beside the best decoder of the board and beside `stacked`."""
    title = "Marks that were set beforehand, and what was read, in points"
    columns = ("mark", "asked", "decoder", "found", "X")
    return markdown(table(title, columns, [*_in_cells(), *_over_cells()]))


def _readings(**where: object) -> Iterator[tuple[pl.DataFrame, Scores]]:
    yield first(**where), scores()
    yield by(STACKED).filter(**where), beside(STACKED)


def _in_cells() -> Iterator[_Mark]:
    for dataset, rate, asked in EXCESS:
        for own, found in _readings(dataset=dataset, rate=rate):
            excess = over_control(own, found)
            room = own.select((pl.col("ceiling") - pl.col("control")).mean()).item()
            share = f"{excess['difference'] / room:.2f} ± {excess['half_width'] / room:.2f}"
            mark = f"{NAMES[dataset]}, ρ {rate:g}: E"
            yield _Mark(mark, f"{asked:.2f}", name_of(own), share, interval(excess))
    for dataset, rate, points in BEYOND_EARLY:
        early = scores().units.filter(decoder=EARLY, dataset=dataset, rate=rate)
        for own, found in _readings(dataset=dataset, rate=rate):
            mark = f"{NAMES[dataset]}, ρ {rate:g}: above early stopping"
            gain, excess = more(own, early), over_control(own, found)
            yield _Mark(mark, f"+{points}", name_of(own), gain, interval(excess))


def _over_cells() -> Iterator[_Mark]:
    best = first()
    for name in (AUTO, STACKED):
        own = by(name)
        excess = interval(over_control(own, beside(name)))
        yield _Mark(
            f"above {name_of(best)}, the best single one", "+0", name, more(own, best), excess
        )


def stacked() -> str:
    """Return `stacked` on memorized networks beside itself on each source without them."""
    found = beside(STACKED)
    units = found.units.filter(decoder=STACKED)
    means = units.group_by(CELL).agg(pl.col("decoded").mean())
    sources = found.controls.group_by(*CELL, "source").agg(pl.col("test_accuracy").mean())
    of_each = {(*cell, source): value for *cell, source, value in sources.iter_rows()}
    best = found.controls.filter("is_best").rename({"test_correct": "bits"})
    excess = contrast(with_bits(units), best, CELL)
    early = scores().units.filter(decoder=EARLY).group_by(CELL).agg(early=pl.col("decoded").mean())
    joined = means.join(excess, on=CELL).join(early, on=CELL, how="left")
    rows = [
        (
            *(f"{row['model']} on {row['dataset']}", f"{row['rate']:g}", percent(row["decoded"])),
            percent(row["early"]),
            *(percent(of_each.get((*(row[name] for name in CELL), source))) for source in SOURCES),
            interval(row),
        )
        for dataset in PAIRS
        for row in joined.filter(dataset=dataset).sort("rate").iter_rows(named=True)
    ]
    columns = ("pair", "ρ", STACKED, EARLY, "pixels", "patches", "untrained", "random labels", "X")
    title = (
        "`stacked`, and the same on each source that knows no label, in %; X over the best of them"
    )
    return markdown(table(title, columns, rows))


def why_beside() -> str:
    """Say why `auto` and `stacked` are not on the board."""
    own = pl.col("source") == "untrained"
    return beside_the_board(
        _merit_and_accuracy(beside(STACKED).controls.filter(own)),
        _merit_and_accuracy(scores().controls.filter("is_best")),
    )


def _merit_and_accuracy(controls: pl.DataFrame) -> tuple[float, float]:
    its = controls.filter(dataset=DIGITS, rate=0.8)
    merit, accuracy = (its[name].to_numpy().mean() for name in ("merit", "test_accuracy"))
    return float(merit), float(accuracy)
