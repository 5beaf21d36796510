"""The readings of a plan that are missing in the results, and their estimated cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.network.cache_files import cached
from memgen_bench.plan.forecast import NETWORK_COLUMNS, READING_COLUMNS, Timings
from memgen_bench.results import store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from memgen_bench.plan.forecast import Estimate
    from memgen_bench.plan.plan import Plan, PlannedNetwork
    from memgen_bench.results.snapshot import Snapshot

# What is read of each table.
_COLUMNS = {
    "networks": ("network_id", *NETWORK_COLUMNS),
    "readings": ("key", "status", *READING_COLUMNS),
    "plans": (),
}


@dataclass(frozen=True, kw_only=True)
class MissingWork:
    """The networks of a plan with missing readings, and their estimated cost.

    Attributes:
        networks: Networks with missing readings, and the keys of these, by `network_id`.
        cached: Number of trained networks among them that are in the cache.
        estimate: The estimated cost of the networks.
        renamed: The names in the results of planned data sets that have another name there.
    """

    networks: Mapping[str, tuple[PlannedNetwork, frozenset[str]]]
    cached: int
    estimate: Estimate
    renamed: Mapping[str, str]

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines on the results that a run shows to its user."""
        return tuple(
            f"{name}: the same images and labels as {other}, under whose name its networks are in "
            "the results"
            for name, other in self.renamed.items()
        )


def find_missing(
    plan: Plan,
    snapshot: Snapshot,
    folders: Iterable[Path],
    *,
    fresh: bool = False,
    retry_failed: bool = False,
) -> MissingWork:
    """Compare a plan with the results and the cache; no network is loaded.

    Args:
        plan: What is planned.
        snapshot: The results, which need not be there yet.
        folders: Where trained networks are.
        fresh: Do everything again.
        retry_failed: Do again what failed.

    Raises:
        StoreError: The results are damaged, or of a newer version.
    """
    settled = ("ok", "skipped") if retry_failed else ("ok", "skipped", "failed")
    stored = _stored(snapshot)
    there = {name: rows.clear() if fresh else rows for name, rows in stored.items()}
    present = set(there["readings"].filter(pl.col("status").is_in(settled))["key"])
    rows = dict(there["networks"].select("network_id", "dataset").iter_rows())
    networks = {
        network.network_id: (network, missing)
        for network in plan.networks
        if (missing := frozenset(r.key for r in network.readings) - present)
        or network.network_id not in rows  # its row was damaged and set aside
    }
    trained = set() if fresh else cached(folders) & networks.keys()
    timings = Timings(stored["networks"], stored["readings"], _reference())
    estimate = timings.estimate(list(networks.values()), trained)
    names = {n.data.name: rows[n.network_id] for n in plan.networks if n.network_id in rows}
    return MissingWork(
        networks=networks,
        cached=len(trained),
        estimate=estimate,
        renamed={name: other for name, other in names.items() if other != name},
    )


@cache
def _reference() -> Timings:
    """Return the timings that ship; benchmark/reference_timings.py makes them."""
    folder = files("memgen_bench.plan").joinpath("timings")
    networks, readings = (
        pl.read_csv(folder.joinpath(f"{name}.csv").read_bytes())
        for name in ("networks", "readings")
    )
    return Timings(networks, readings)


def _stored(snapshot: Snapshot) -> dict[str, pl.DataFrame]:
    """Return the rows that count of each table; all are read, so that a newer schema shows now."""
    if not snapshot.folder.is_dir():
        return {name: pl.DataFrame(store.table(name, [])) for name in _COLUMNS}
    return {name: store.read_frame(snapshot, name, columns) for name, columns in _COLUMNS.items()}
