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
    above,
    beside_the_board,
    interval,
    stricter,
)
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.decoder_choice import chosen_units
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


def of_board() -> pl.DataFrame:
    """Return the readings of the board's control of each network."""
    return scores().controls.filter("is_best")


def best_source(name: str) -> pl.DataFrame:
    """Return `auto` or `stacked` on the source where it reads the most in a cell, in hindsight.

    Their validation accuracy cannot choose it, and so they gain no excess by a bad choice.
    """
    controls = beside(name).controls
    means = controls.group_by(*CELL, "source").agg(pl.col("test_accuracy").mean())
    first = means.sort(-pl.col("test_accuracy"), "source").unique(CELL, maintain_order=True)
    return controls.join(first, on=[*CELL, "source"], how="semi")


def excess(own: pl.DataFrame, control: pl.DataFrame) -> dict[str, float]:
    """Return how much more readings have right than their control: X."""
    return _excess(own, control, []).row(0, named=True)


def _excess(own: pl.DataFrame, control: pl.DataFrame, by_cell: list[str]) -> pl.DataFrame:
    return contrast(with_bits(own), control.rename({"test_correct": "bits"}), by_cell)


def over_every_source(own: pl.DataFrame, controls: pl.DataFrame) -> pl.DataFrame:
    """Return the cells in which readings have more right than each source, with each interval."""
    found = own.select(CELL).unique()
    for source in SOURCES:
        shown = above(_excess(own, controls.filter(source=source), CELL))
        found = found.join(shown, on=CELL, how="semi")
    return found


def checks() -> str:
    """Say where an excess is left without trajectories, and where `stacked` has one."""
    plain = chosen_units(scores().units.filter(~pl.col("decoder").str.starts_with("aum")))
    own = beside(STACKED).units.filter(decoder=STACKED)
    return stricter(
        over_every_source(plain, scores().controls),
        over_every_source(own, beside(STACKED).controls),
    )


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


def _readings(**where: object) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    yield first(**where), of_board()
    yield by(STACKED).filter(**where), best_source(STACKED)


def _in_cells() -> Iterator[_Mark]:
    for dataset, rate, asked in EXCESS:
        for own, control in _readings(dataset=dataset, rate=rate):
            found = excess(own, control)
            its = control.filter(dataset=dataset, rate=rate)["test_accuracy"].to_numpy().mean()
            room = float(own["ceiling"].to_numpy().mean() - its)
            share = f"{found['difference'] / room:.2f} ± {found['half_width'] / room:.2f}"
            mark = f"{NAMES[dataset]}, ρ {rate:g}: E"
            yield _Mark(mark, f"{asked:.2f}", name_of(own), share, interval(found))
    for dataset, rate, points in BEYOND_EARLY:
        early = scores().units.filter(decoder=EARLY, dataset=dataset, rate=rate)
        for own, control in _readings(dataset=dataset, rate=rate):
            mark = f"{NAMES[dataset]}, ρ {rate:g}: above early stopping"
            gain, found = more(own, early), excess(own, control)
            yield _Mark(mark, f"+{points}", name_of(own), gain, interval(found))


def _over_cells() -> Iterator[_Mark]:
    best = first()
    for name in (AUTO, STACKED):
        own, mark = by(name), f"above {name_of(best)}, the best single one"
        found = interval(excess(own, best_source(name)))
        yield _Mark(mark, "+0", name, more(own, best), found)


def stacked() -> str:
    """Return `stacked` on memorized networks beside itself on each source without them."""
    found = beside(STACKED)
    units = found.units.filter(decoder=STACKED)
    means = units.group_by(CELL).agg(pl.col("decoded").mean())
    sources = found.controls.group_by(*CELL, "source").agg(pl.col("test_accuracy").mean())
    of_each = {(*cell, source): value for *cell, source, value in sources.iter_rows()}
    gained = _excess(units, best_source(STACKED), CELL)
    early = scores().units.filter(decoder=EARLY).group_by(CELL).agg(early=pl.col("decoded").mean())
    joined = means.join(gained, on=CELL).join(early, on=CELL, how="left")
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
    title = "`stacked`, and itself on each source of controls, in %; X over the best in hindsight"
    return markdown(table(title, columns, rows))


def why_beside() -> str:
    """Say why `auto` and `stacked` are not on the board."""
    own = pl.col("source") == "untrained"
    return beside_the_board(
        _merit_and_accuracy(beside(STACKED).controls.filter(own)),
        _merit_and_accuracy(of_board()),
    )


def _merit_and_accuracy(controls: pl.DataFrame) -> tuple[float, float]:
    its = controls.filter(dataset=DIGITS, rate=0.8)
    merit, accuracy = (its[name].to_numpy().mean() for name in ("merit", "test_accuracy"))
    return float(merit), float(accuracy)
