"""Decoders that choose among others or add them up, and the marks that were set beforehand."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from findings.cells import CELL, live, scores, with_bits
from findings.sentences import (
    NAMES,
    PAIRS,
    SHIFTED,
    SIGNALS,
    above,
    interval,
    stricter,
)
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.controls import REFERENCES, control_readings
from memgen_leaderboard.scoring.decoder_choice import chosen_units
from memgen_leaderboard.tables.markdown import markdown
from memgen_leaderboard.text import percent, table

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTO, STACKED, EARLY = "auto", "stacked", "early-stopped"
SOURCES = ("pixels", "patches/100", "untrained", "random")
EXCESS = ((SHIFTED, 0.4, 0.75), (SHIFTED, 0.8, 0.3))  # asked of E
BEYOND_EARLY = ((SIGNALS, 0.4, 10), (SIGNALS, 0.6, 10))  # asked, in points


def by(name: str) -> pl.DataFrame:
    """Return the readings of a decoder of memorized networks, in cells above chance."""
    return scores().units.filter(decoder=name).join(live(), on=CELL, how="semi")


@cache
def itself(name: str) -> pl.DataFrame:
    """Return a decoder on each source of controls, at the layer that validation chooses."""
    own = scores().units.filter(decoder=name)
    readings = scores().readings.filter(decoder=name)
    return control_readings(readings, own, "corrupted", "training")


def more(own: pl.DataFrame, other: pl.DataFrame) -> str:
    """Return how much more one has right than the other on the same networks, with its interval."""
    return interval(contrast(with_bits(own), with_bits(other)).row(0, named=True))


def singles() -> pl.DataFrame:
    """Return the readings of decoders that are ranked and contain no others, in those cells."""
    own = scores().units.join(live(), on=CELL, how="semi")
    return own.filter(~pl.col("decoder").is_in([*REFERENCES, AUTO, STACKED]))


def first(**where: object) -> pl.DataFrame:
    """Return the readings of the single decoder that reads the most, known in hindsight alone."""
    own = singles().filter(**where)
    of_cells = own.group_by(*CELL, "decoder").agg(pl.col("decoded").mean())
    means = of_cells.group_by("decoder").agg(pl.col("decoded").mean())
    return own.filter(decoder=means.sort(-pl.col("decoded"), "decoder")["decoder"][0])


def name_of(own: pl.DataFrame) -> str:
    """Return the one decoder of some readings."""
    return str(own["decoder"][0])


def of_board() -> pl.DataFrame:
    """Return the readings of the board's control of each network."""
    return scores().controls.filter("is_best")


def excess(own: pl.DataFrame) -> dict[str, float]:
    """Return how much more readings have right than their control: X."""
    return _excess(own, of_board(), []).row(0, named=True)


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
    return stricter(
        over_every_source(plain, scores().controls),
        over_every_source(by(STACKED), itself(STACKED)),
    )


class _Mark(NamedTuple):
    mark: str
    asked: str
    decoder: str
    found: str
    excess: str


def marks() -> str:
    """Return each mark beside the best single decoder of the board and beside `stacked`."""
    title = "Marks that were set beforehand, and what was read, in points"
    columns = ("mark", "asked", "decoder", "found", "X")
    return markdown(table(title, columns, [*_in_cells(), *_over_cells()]))


def _in_cells() -> Iterator[_Mark]:
    for dataset, rate, asked in EXCESS:
        where = {"dataset": dataset, "rate": rate}
        for own in (first(**where), by(STACKED).filter(**where)):
            found = excess(own)
            room = float((own["ceiling"] - own["control"]).to_numpy().mean())
            share = f"{found['difference'] / room:.2f} ± {found['half_width'] / room:.2f}"
            mark = f"{NAMES[dataset]}, ρ {rate:g}: E"
            yield _Mark(mark, f"{asked:.2f}", name_of(own), share, interval(found))
    for dataset, rate, points in BEYOND_EARLY:
        where = {"dataset": dataset, "rate": rate}
        for own in (first(**where), by(STACKED).filter(**where)):
            mark = f"{NAMES[dataset]}, ρ {rate:g}: above early stopping"
            gain = more(own, by(EARLY).filter(**where))
            yield _Mark(mark, f"+{points}", name_of(own), gain, interval(excess(own)))


def _over_cells() -> Iterator[_Mark]:
    best = first()
    for own in (by(AUTO), by(STACKED)):
        mark = f"above {name_of(best)}, the best single one"
        yield _Mark(mark, "+0", name_of(own), more(own, best), interval(excess(own)))


def stacked() -> str:
    """Return `stacked` on memorized networks beside itself on each source without them."""
    units = scores().units.filter(decoder=STACKED)
    means = units.group_by(CELL).agg(pl.col("decoded").mean())
    sources = itself(STACKED).group_by(*CELL, "source").agg(pl.col("test_accuracy").mean())
    of_each = {(*cell, source): value for *cell, source, value in sources.iter_rows()}
    gained = _excess(units, of_board(), CELL)
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
    title = "`stacked`, itself on each source of controls, in %, and X over the board's control"
    return markdown(table(title, columns, rows))
