"""The readings of a network that have no row yet, while it is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memgen_bench.messages import Row, Started
from memgen_bench.results import rows

if TYPE_CHECKING:
    from memgen_bench.messages import Message, Report
    from memgen_bench.plan.plan import PlannedNetwork


class PendingReadings:
    """Passes on the messages about a network, and keeps track of the readings without a row.

    Attributes:
        left: Keys of the readings that have no row yet.
        current: Key of the reading that is being computed; empty during another step.
    """

    def __init__(self, keys: frozenset[str], report: Report) -> None:
        self.left, self.current = keys, ""
        self._report, self._network_known = report, False

    def __call__(self, message: Message) -> None:
        """Pass on a message, but only the first of several rows of the network itself."""
        if isinstance(message, Started):
            self.current = message.key
        elif isinstance(message, Row) and message.table == "readings":
            self.left -= {message.columns["key"]}
            self.current = ""
        elif isinstance(message, Row):
            if self._network_known:
                return
            self._network_known = True
        self._report(message)

    def fail(
        self, network: PlannedNetwork, keys: frozenset[str], message: str, error_type: str
    ) -> None:
        """Report failed rows for some readings, and for the network if it has no row yet."""
        why = {"status": "failed", "error_type": error_type, "message": message}
        self(Row("networks", rows.network_row(network) | why))
        for reading in network.readings:
            if reading.key in keys:
                self(Row("readings", rows.reading_row(network, reading) | why))
