"""What of a plan is still to be computed, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memgen_bench.network.cache_files import cached
from memgen_bench.plan.forecast import NETWORK_COLUMNS, READING_COLUMNS, Timings
from memgen_bench.results import store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from memgen_bench.plan.forecast import Estimate
    from memgen_bench.plan.plan import Plan, PlannedNetwork


@dataclass(frozen=True, kw_only=True)
class MissingWork:
    """What of a plan is still to be computed.

    Attributes:
        networks: By identity, the networks that readings are missing of, and the readings' keys.
        cached: How many of them need no training, though they are trained networks.
        estimate: What they cost.
    """

    networks: Mapping[str, tuple[PlannedNetwork, frozenset[str]]]
    cached: int
    estimate: Estimate


def find_missing(
    plan: Plan,
    results: Path,
    folders: Iterable[Path],
    *,
    fresh: bool = False,
    retry_failed: bool = False,
) -> MissingWork:
    """Compare a plan with what is there; nothing is loaded.

    Args:
        plan: What is planned.
        results: The results folder.
        folders: Where trained networks are.
        fresh: Do everything again.
        retry_failed: Do again what failed.

    Raises:
        StoreError: The results are damaged, or of a newer version.
    """
    settled = ("ok", "skipped") if retry_failed else ("ok", "skipped", "failed")
    statuses = {} if fresh else statuses_of(results)
    present = {key for key, status in statuses.items() if status in settled}
    rows = set() if fresh else _network_ids(results)
    networks = {
        network.network_id: (network, missing)
        for network in plan.networks
        if (missing := frozenset(r.key for r in network.readings) - present)
        or network.network_id not in rows  # its row was damaged, and set aside
    }
    trained = set() if fresh else cached(folders) & networks.keys()
    estimate = _timings(results).estimate(list(networks.values()), trained)
    return MissingWork(networks=networks, cached=len(trained), estimate=estimate)


def _timings(results: Path) -> Timings:
    """Return what earlier runs in a results folder took."""
    if not results.is_dir():
        return Timings()
    return Timings(
        store.read_frame(results, "networks", NETWORK_COLUMNS),
        store.read_frame(results, "readings", READING_COLUMNS),
    )


def statuses_of(results: Path) -> dict[str, str]:
    """Return the status of each key; all tables are read, so that a newer schema shows now."""
    if not results.is_dir():
        return {}
    for name in ("networks", "plans"):
        store.read_frame(results, name, [])
    rows = store.read_frame(results, "readings", ["key", "status"])
    return dict(rows.iter_rows())


def _network_ids(results: Path) -> set[str]:
    if not results.is_dir():
        return set()
    return set(store.read_frame(results, "networks", ["network_id"])["network_id"])
