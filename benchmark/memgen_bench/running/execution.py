"""The execution of a run: missing rows are computed, shared with other runs, and stored."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from concurrent.futures import FIRST_COMPLETED, wait
from typing import TYPE_CHECKING

from memgen_bench.errors import UsageError, WriteError, one_line
from memgen_bench.messages import Row
from memgen_bench.results import store
from memgen_bench.workers.pending import PendingReadings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    import pyarrow as pa

    from memgen_bench.messages import Message, RunSettings
    from memgen_bench.plan.plan import PlannedNetwork
    from memgen_bench.plugin.specs import Engine
    from memgen_bench.results.snapshot import Snapshot
    from memgen_bench.running.locks import Locks
    from memgen_bench.running.unstored import UnstoredRows

    Missing = Mapping[str, tuple[PlannedNetwork, frozenset[str]]]
    # called with a network, its newly stored readings, and whether it is done
    OnStored = Callable[[PlannedNetwork, pa.Table | None, bool], None]

# So many seconds lie at least between two parts of a network: one for each row would be many.
_PATIENCE = 10.0
# Seconds between two looks at networks that other runs have locked.
_GLANCE = 0.5


class Execution:
    """Computes networks on an engine and stores their rows.

    Args:
        missing_work: Networks with missing readings, and the keys of these, by `network_id`.
        function: Computes one network: (network, keys, settings, report).
        settings: The run.
        snapshot: The results that the plan was compared with.
        locks: Their locks; a network that another run is at is waited for.
        unstored: The rows that are not stored yet.
        on_stored: Is told what was stored.
    """

    def __init__(
        self,
        missing_work: Missing,
        function: Callable[..., None],
        settings: RunSettings,
        snapshot: Snapshot,
        locks: Locks,
        unstored: UnstoredRows,
        on_stored: OnStored,
    ) -> None:
        self._missing, self._function, self._settings = missing_work, function, settings
        self._snapshot, self._locks, self._unstored = snapshot, locks, unstored
        self._on_stored = on_stored
        self._waiting = deque(missing_work)
        self._running: dict[Future[None], str] = {}
        self._stored: defaultdict[str, set[str]] = defaultdict(set)
        self._thread = threading.get_ident()

    def report(self, message: Message) -> None:
        """Take a worker's message, from any thread; see `UnstoredRows`.

        An engine that computes in the thread of this object leaves it no other time to store rows.
        """
        self._unstored(message)
        if isinstance(message, Row) and threading.get_ident() == self._thread:
            self._store_waiting(_PATIENCE)

    def run(self, engine: Engine) -> None:
        """Compute everything and store it as it comes."""
        while self._waiting or self._running:
            self._submit(engine)
            self._collect()

    def store_rest(self) -> None:
        """Store the finished rows of unfinished networks, after a run was interrupted."""
        self._store_waiting(0)

    def _submit(self, engine: Engine) -> None:
        """Submit networks that no other run has locked, as many as the engine runs at once."""
        for _ in range(len(self._waiting)):
            if len(self._running) >= engine.slots:
                return
            network_id = self._waiting.popleft()
            if not self._locks.take(network_id):
                self._waiting.append(network_id)
                continue
            network, missing = self._missing[network_id]
            keys = missing - self._later(network_id, "readings", "key")
            row_is_missing = not missing and not self._later(network_id, "networks", "network_id")
            if keys or row_is_missing:
                future = engine.submit(self._function, network, keys, self._settings)
                self._running[future] = network_id
            else:
                self._locks.give_back(network_id)
                self._on_stored(network, None, True)

    def _later(self, network_id: str, name: str, column: str) -> frozenset[str]:
        """Return a column of the rows of a network that other runs stored since the snapshot."""
        return frozenset(self._snapshot.later_rows(name, network_id, [column])[column])

    def _collect(self) -> None:
        if not self._running:
            time.sleep(_GLANCE if self._waiting else 0)
            return
        done, _ = wait(self._running, timeout=_PATIENCE / 10, return_when=FIRST_COMPLETED)
        for future in done:
            network_id = self._running[future]
            self._answer_for(future, network_id)
            self._store(network_id, done=True)
            del self._running[future]
            self._locks.give_back(network_id)
        self._store_waiting(_PATIENCE)

    def _answer_for(self, future: Future[None], network_id: str) -> None:
        """Make rows for the readings that an engine lost."""
        error = future.exception()
        if error is None:
            return
        if isinstance(error, UsageError | WriteError):  # other networks would end the same way
            raise error
        if getattr(error, "error_type", "") == "stopped":
            raise error
        self._store(network_id, done=False)
        network, keys = self._missing[network_id]
        lost = keys - self._stored[network_id]
        PendingReadings(lost, self._unstored).fail(network, lost, one_line(error), "crash")

    def _store_waiting(self, seconds: float) -> None:
        """Store rows of networks that were not stored for so long."""
        for network_id in self._unstored.older_than(seconds):
            self._store(network_id, done=False)

    def _store(self, network_id: str, *, done: bool) -> None:
        tables = self._unstored.take(network_id, last=done)
        for name, rows in tables.items():
            store.write_part(self._snapshot.folder, name, network_id, rows)
        readings = tables.get("readings")
        if readings is not None:
            self._stored[network_id].update(readings["key"].to_pylist())
        self._on_stored(self._missing[network_id][0], readings, done)
        if done:
            self._stored.pop(network_id, None)
