"""A network's readings, computed so that each has its row whatever happens."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING

from memgen_bench.workers.child import ChildLost, Children
from memgen_bench.workers.pending import PendingReadings

if TYPE_CHECKING:
    from memgen_bench.messages import Report, RunSettings
    from memgen_bench.plan.plan import PlannedNetwork

# The children of this process; they persist from one network to the next.
children = Children()
atexit.register(children.close)


def run_in_child(
    network: PlannedNetwork, keys: frozenset[str], settings: RunSettings, report: Report
) -> None:
    """Compute some readings of one network in a child process; see `worker.run_network`.

    A reading that takes its process down, or longer than the settings's time-out, becomes a failed
    row, and the readings that are left go on in a new process. What takes the process down while
    no reading is computed (a training, say) costs all that are left.

    Raises:
        ChildLost: The children were stopped.
        WriteError: There is no room for the network.
    """
    progress = PendingReadings(keys, report)
    while True:
        progress.current = ""
        why = ChildLost("error", "its worker left it out")
        try:
            children.call(
                "memgen_bench.workers.network_rows:run_network",
                network,
                progress.left,
                settings,
                report=progress,
                timeout=settings.timeout,
            )
        except ChildLost as lost:
            if lost.error_type == "stopped":
                raise
            why = lost
        if not progress.left:
            return
        doomed = frozenset({progress.current}) if progress.current else progress.left
        progress.fail(network, doomed, str(why), why.error_type)
