"""Readings of a submission, computed again and compared bit by bit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from memgen_bench.errors import DamagedError, DataNotFoundError, UsageError
from memgen_bench.files.atomic import write_atomically
from memgen_bench.messages import Row
from memgen_bench.plugin.composition import split_points
from memgen_bench.results.environment import environment
from memgen_bench.results.rows import network_row, reading_row
from memgen_bench.results.schemas import IDENTITIES, MEASURED
from memgen_bench.results.store import read_frame, table, to_arrow, write_part
from memgen_bench.workers.child import Children
from memgen_bench.workers.in_child import InChild

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from memgen_bench.messages import Message, Report, RunSettings
    from memgen_bench.plan.plan import Plan, PlannedNetwork, Reading
    from memgen_bench.submission.bundle import Bundle

_WHO = {"created", "environment", "code_commit"}  # columns of who computed a row, and when
VERIFIED = "verified"  # the folder of records within results


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row that differs from the submitted one.

    Attributes:
        key: The key of the reading, or the network's id.
        place: Where it is read, in words.
        columns: The columns that differ, with both values.
    """

    key: str
    place: str
    columns: dict[str, tuple[Any, Any]]

    def __str__(self) -> str:
        said = [f"{name} {found} and not {stated}" for name, (stated, found) in _said(self.columns)]
        return f"{self.place}: {', '.join(said)}"


def _said(columns: dict[str, tuple[Any, Any]]) -> list[tuple[str, tuple[Any, Any]]]:
    """Return columns that people can read; others by name alone."""
    return [
        (name, ("as submitted", "another") if isinstance(pair[0], bytes | list) else pair)
        for name, pair in columns.items()
    ]


def choose(bundle: Bundle, plan: Plan, count: int, seed: int | None) -> list[str]:
    """Return the keys of some `ok` readings, drawn at random.

    Args:
        bundle: The submission.
        plan: The plan of its suite and decoder, made here.
        count: The most readings to draw.
        seed: The random seed; None: nobody can know the sample before.

    Raises:
        UsageError: The submission lacks readings of the plan, or has others.
        DataNotFoundError: It lacks or has them as a data set is not here.
    """
    planned = {reading.key for _, reading in _planned(bundle, plan)}
    rows = bundle.readings()
    stated = set(rows["key"])
    if planned != stated and plan.missing_data:
        raise DataNotFoundError("; ".join(plan.missing_data.values()))
    if planned != stated:
        raise UsageError(
            f"{bundle.folder} has {len(stated - planned)} readings that are not of its suite here, "
            f"and lacks {len(planned - stated)}; compare versions of decoder, data and memgen-bench"
        )
    fine = rows.filter(status="ok")["key"].sort().to_list()
    rng = np.random.default_rng(seed)
    return [str(key) for key in rng.permutation(fine)[:count]]


def require_own_rows(bundle: Bundle, plan: Plan) -> None:
    """Require that all rows are of the plan's readings and networks, as they say.

    Raises:
        DamagedError: A row says that it is another reading, or another network, than its key does.
    """
    own = _planned(bundle, plan)
    networks = {network.network_id: network for network, _ in own}
    _require(bundle, "readings", [reading_row(*pair) for pair in own])
    _require(bundle, "networks", [network_row(each) for each in networks.values()])


def _planned(bundle: Bundle, plan: Plan) -> list[tuple[PlannedNetwork, Reading]]:
    return [
        (network, reading)
        for network in plan.networks
        for reading in network.readings
        if reading.decoding.decoder == split_points(bundle.decoder)[0]
    ]


def _require(bundle: Bundle, name: str, planned: Sequence[dict[str, Any]]) -> None:
    """Require that the planned columns of a table are what the plan says, row by row."""
    stated = bundle.readings() if name == "readings" else bundle.networks()
    columns, identity = sorted({each for row in planned for each in row} - _WHO), IDENTITIES[name]
    expected = _frame(name, planned).select(columns).sort(identity)
    found = stated.select(columns).sort(identity)
    if not found.equals(expected):
        raise DamagedError(f"{bundle.folder}: {name} say of themselves other than their keys do")


def _frame(name: str, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    found = pl.from_arrow(table(name, rows))
    assert isinstance(found, pl.DataFrame)
    return found


def recompute(
    plan: Plan, keys: Sequence[str], settings: RunSettings, report: Report
) -> dict[str, pl.DataFrame]:
    """Return rows of the tables of readings and networks, computed now in child processes.

    Networks that are not cached are trained.
    """
    rows: dict[str, list[dict[str, Any]]] = {"readings": [], "networks": []}

    def keep(message: Message) -> None:
        if isinstance(message, Row):
            rows[message.table].append(message.columns)
        else:
            report(message)

    with Children() as children:
        compute = InChild(children)
        for network in plan.networks:
            own = frozenset(keys) & {reading.key for reading in network.readings}
            if own:
                compute(network, own, settings, keep)
    return {name: _frame(name, own) for name, own in rows.items()}


def compare(stated: pl.DataFrame, found: pl.DataFrame, name: str = "readings") -> list[Difference]:
    """Return the rows of a table that differ in a measured column, in the order of `found`."""
    identity, names = IDENTITIES[name], ("status", *MEASURED[name])
    before = {row[identity]: row for row in stated.iter_rows(named=True)}
    differing = []
    for now in found.iter_rows(named=True):
        then = before[now[identity]]
        columns = {each: (then[each], now[each]) for each in names if then[each] != now[each]}
        if columns:
            place = f"{now['model']} on {now['dataset']}, ρ {now['rate']:g}, seed {now['seed']}, "
            place += f"{now['kind']}, {now.get('layer', 'the network')}"
            differing.append(Difference(key=now[identity], place=place, columns=columns))
    return differing


def accept(bundle: Bundle, plan: Plan, keys: Iterable[str], results: Path) -> Path:
    """Add a submission's rows to results, with the record that some were computed again.

    Networks that the results have already stay as they are.

    Returns:
        The record, which boards read.
    """
    name, suite = bundle.digest[:16], bundle.suite
    networks = bundle.networks()
    if results.is_dir():
        known = read_frame(results, "networks", ["network_id"])["network_id"]
        networks = networks.filter(~pl.col("network_id").is_in(known.implode()))
    write_part(results, "networks", name, to_arrow(networks, "networks"))
    write_part(results, "readings", name, to_arrow(bundle.readings(), "readings"))
    planned = [
        {"suite": suite.name, "suite_version": suite.version, "key": key}
        for key in bundle.readings()["key"]
    ]
    write_part(results, "plans", name, table("plans", planned))
    record = {
        "decoder": bundle.decoder,
        "digest": bundle.digest,
        "recomputed": sorted(keys),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": json.loads(environment()),
    }
    path = results / VERIFIED / f"{name}.json"
    write_atomically(path, f"{json.dumps(record, indent=2)}\n".encode())
    return path
