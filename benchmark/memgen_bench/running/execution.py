"""Computing what a results folder lacks: shared with other runs, stored as it comes."""

from __future__ import annotations

import os
import time
from collections import defaultdict, deque
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING

from memgen_bench.errors import WriteError, one_line
from memgen_bench.results import store
from memgen_bench.results.parts import read_parts
from memgen_bench.workers.pending import PendingReadings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    import pyarrow as pa

    from memgen_bench.messages import RunSettings
    from memgen_bench.plan.plan import PlannedNetwork
    from memgen_bench.plugin.specs import Engine
    from memgen_bench.running.locks import Locks
    from memgen_bench.running.unstored import UnstoredRows

    Missing = Mapping[str, tuple[PlannedNetwork, frozenset[str]]]
    # called with a network, the readings of it that were stored, and whether it is done
    OnStored = Callable[[PlannedNetwork, pa.Table | None, bool], None]

# Rows wait so long, in seconds, for others of their network: a part for each would be many.
_PATIENCE = 10.0
# So long between two looks at what is locked by other runs.
_GLANCE = 0.5


class NewParts:
    """Parts of readings that were not there when this was made.

    Args:
        results: The results folder.
    """

    def __init__(self, results: Path) -> None:
        self._folder = results / "readings"
        self._seen = self._changed()
        self._known = set(self._names(""))

    def keys(self, network_id: str) -> frozenset[str]:
        """Return the keys in new parts of one network."""
        if self._changed() == self._seen:
            return frozenset()
        new = [name for name in self._names(network_id) if name not in self._known]
        paths = [self._folder / name for name in new]
        return frozenset(read_parts(paths, "readings", ["key"])["key"]) if paths else frozenset()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Know that what comes meanwhile is this run's own: listing a large folder takes long."""
        alone = self._changed() == self._seen
        yield
        if alone:
            self._seen = self._changed()

    def _changed(self) -> int:
        """Return when a file was last added to the folder."""
        return self._folder.stat().st_mtime_ns if self._folder.is_dir() else 0

    def _names(self, prefix: str) -> list[str]:
        if not self._folder.is_dir():
            return []
        with os.scandir(self._folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(prefix)]
        return [name for name in names if name.endswith(".parquet")]


class Execution:
    """Computes networks on an engine and stores their rows.

    Args:
        missing_work: By identity, the networks and the keys of their readings that are missing.
        function: Computes one network: (network, keys, settings, report).
        settings: The run.
        results: The results folder.
        locks: Its locks; a network that another run is at is waited for.
        parts: Parts that came after the plan was compared with the results.
        on_stored: Is told what was stored.
    """

    def __init__(
        self,
        missing_work: Missing,
        function: Callable[..., None],
        settings: RunSettings,
        results: Path,
        locks: Locks,
        parts: NewParts,
        on_stored: OnStored,
    ) -> None:
        self._missing, self._function, self._settings = missing_work, function, settings
        self._results, self._locks, self._on_stored = results, locks, on_stored
        self._waiting = deque(missing_work)
        self._running: dict[Future[None], str] = {}
        self._parts = parts
        self._stored: defaultdict[str, set[str]] = defaultdict(set)

    def run(self, engine: Engine, unstored: UnstoredRows) -> None:
        """Compute everything and store it as it comes."""
        while self._waiting or self._running:
            self._submit(engine)
            self._collect(unstored)

    def store_rest(self, unstored: UnstoredRows) -> None:
        """Store what came in of networks that are not done, after a run was interrupted."""
        for network_id in self._running.values():
            self._store(network_id, unstored, done=False)

    def _submit(self, engine: Engine) -> None:
        """Give the engine as many networks as it runs at once, of those that nobody else is at."""
        for _ in range(len(self._waiting)):
            if len(self._running) >= engine.slots:
                return
            network_id = self._waiting.popleft()
            if not self._locks.take(network_id):
                self._waiting.append(network_id)
                continue
            network, missing = self._missing[network_id]
            keys = missing - self._parts.keys(network_id)  # another run was here
            if keys or not missing:  # where none is missing the network's own row is
                future = engine.submit(self._function, network, keys, self._settings)
                self._running[future] = network_id
            else:
                self._locks.give_back(network_id)
                self._on_stored(network, None, True)

    def _collect(self, unstored: UnstoredRows) -> None:
        if not self._running:
            time.sleep(_GLANCE if self._waiting else 0)
            return
        done, _ = wait(self._running, timeout=_PATIENCE / 10, return_when=FIRST_COMPLETED)
        for future in done:
            network_id = self._running[future]
            self._answer_for(future, network_id, unstored)
            self._store(network_id, unstored, done=True)
            del self._running[future]
            self._locks.give_back(network_id)
        for network_id in unstored.older_than(_PATIENCE):
            self._store(network_id, unstored, done=False)

    def _answer_for(self, future: Future[None], network_id: str, unstored: UnstoredRows) -> None:
        """Make rows for what an engine lost."""
        error = future.exception()
        if error is None:
            return
        if isinstance(error, WriteError) or getattr(error, "error_type", "") == "stopped":
            raise error
        self._store(network_id, unstored, done=False)
        network, keys = self._missing[network_id]
        lost = keys - self._stored[network_id]
        PendingReadings(lost, unstored).fail(network, lost, one_line(error), "crash")

    def _store(self, network_id: str, unstored: UnstoredRows, *, done: bool) -> None:
        tables = unstored.take(network_id)
        with self._parts.writing():
            for name, rows in tables.items():
                store.write_part(self._results, name, network_id, rows)
        readings = tables.get("readings")
        if readings is not None:
            self._stored[network_id].update(readings["key"].to_pylist())
        self._on_stored(self._missing[network_id][0], readings, done)
        if done:
            self._stored.pop(network_id, None)
