"""Readings of a submission, computed again and compared bit by bit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from memgen_bench.errors import UsageError
from memgen_bench.files.atomic import write_atomically
from memgen_bench.messages import Row
from memgen_bench.results.environment import environment
from memgen_bench.results.schemas import MEASURED
from memgen_bench.results.store import table, to_arrow, write_part
from memgen_bench.workers.child import Children
from memgen_bench.workers.in_child import InChild

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from memgen_bench.messages import Message, Report, RunSettings
    from memgen_bench.plan.plan import Plan
    from memgen_bench.submission.bundle import Bundle

VERIFIED = "verified"  # the folder of records within results


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A reading that differs from the submitted one.

    Attributes:
        key: The reading's key.
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
    """
    planned = {
        reading.key
        for network in plan.networks
        for reading in network.readings
        if reading.decoding.decoder == bundle.decoder
    }
    rows = bundle.readings()
    stated = set(rows["key"])
    if planned != stated:
        raise UsageError(
            f"{bundle.folder} has {len(stated - planned)} readings that are not of its suite here, "
            f"and lacks {len(planned - stated)}; compare versions of decoder, data and memgen-bench"
        )
    fine = rows.filter(status="ok")["key"].sort().to_list()
    rng = np.random.default_rng(seed)
    return [str(key) for key in rng.permutation(fine)[:count]]


def recompute(
    plan: Plan, keys: Sequence[str], settings: RunSettings, report: Report
) -> pl.DataFrame:
    """Return rows of the table of readings, computed now in child processes.

    Networks that are not cached are trained.
    """
    rows: list[dict[str, Any]] = []

    def keep(message: Message) -> None:
        if isinstance(message, Row):
            rows.extend([message.columns] * (message.table == "readings"))
        else:
            report(message)

    with Children() as children:
        compute = InChild(children)
        for network in plan.networks:
            own = frozenset(keys) & {reading.key for reading in network.readings}
            if own:
                compute(network, own, settings, keep)
    found = pl.from_arrow(table("readings", rows))
    assert isinstance(found, pl.DataFrame)
    return found


def compare(stated: pl.DataFrame, found: pl.DataFrame) -> list[Difference]:
    """Return the readings that differ in a measured column, in the order of `found`."""
    before = {row["key"]: row for row in stated.iter_rows(named=True)}
    names = ("status", *MEASURED["readings"])
    differing = []
    for now in found.iter_rows(named=True):
        then = before[now["key"]]
        columns = {name: (then[name], now[name]) for name in names if then[name] != now[name]}
        if columns:
            place = f"{now['model']} on {now['dataset']}, ρ {now['rate']:g}, seed {now['seed']}, "
            place += f"{now['kind']}, {now['layer']}"
            differing.append(Difference(key=now["key"], place=place, columns=columns))
    return differing


def accept(bundle: Bundle, plan: Plan, keys: Iterable[str], results: Path) -> Path:
    """Add a submission's rows to results, with the record that some were computed again.

    Returns:
        The record, which boards read.
    """
    name, suite = bundle.decoder, bundle.suite
    write_part(results, "readings", name, to_arrow(bundle.readings(), "readings"))
    write_part(results, "networks", name, to_arrow(bundle.networks(), "networks"))
    planned = [
        {"suite": suite.name, "suite_version": suite.version, "key": key}
        for key in bundle.readings()["key"]
    ]
    write_part(results, "plans", f"{suite.name}-{name}", table("plans", planned))
    record = {
        "decoder": name,
        "digest": bundle.digest,
        "recomputed": sorted(keys),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": json.loads(environment()),
    }
    path = results / VERIFIED / f"{bundle.digest[:16]}.json"
    write_atomically(path, f"{json.dumps(record, indent=2)}\n".encode())
    return path
