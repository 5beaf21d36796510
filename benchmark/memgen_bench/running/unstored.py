"""Rows that are not stored yet."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from memgen_bench.messages import Epoch, Row
from memgen_bench.results import store

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from memgen_bench.messages import Message


class UnstoredRows:
    """Collects the rows that workers report, from any thread, until they are stored.

    Args:
        on_epoch: Called with the progress of trainings.
    """

    def __init__(self, on_epoch: Callable[[Epoch], None]) -> None:
        self._on_epoch, self._lock = on_epoch, threading.Lock()
        self._rows: dict[str, list[Row]] = {}
        self._since: dict[str, float] = {}  # when rows were taken last, or began to come in

    def __call__(self, message: Message) -> None:
        """Collect the row of a message, or pass on the progress of a training."""
        if isinstance(message, Epoch):
            self._on_epoch(message)
        elif isinstance(message, Row):
            network_id = str(message.columns["network_id"])
            with self._lock:
                self._rows.setdefault(network_id, []).append(message)
                self._since.setdefault(network_id, time.monotonic())

    def older_than(self, seconds: float) -> list[str]:
        """Return the networks that have rows, and were without a `take` for that long."""
        now = time.monotonic()
        with self._lock:
            return [name for name in self._rows if now - self._since[name] >= seconds]

    def take(self, network_id: str, *, last: bool = False) -> dict[str, pa.Table]:
        """Give out the rows of a network, as tables: its own first, then its readings.

        Args:
            network_id: Which network's.
            last: No more of its rows will come.
        """
        with self._lock:
            rows = self._rows.pop(network_id, [])
            self._since[network_id] = time.monotonic()
            if last:
                del self._since[network_id]
        tables: dict[str, list[dict[str, Any]]] = {"networks": [], "readings": []}
        for row in rows:
            tables[row.table].append(row.columns)
        return {name: store.table(name, found) for name, found in tables.items() if found}
