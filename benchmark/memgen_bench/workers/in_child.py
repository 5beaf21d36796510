"""A network's readings, computed in child processes: each gets a row, even if one crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memgen_bench.workers.child import ChildLost, Children
from memgen_bench.workers.pending import PendingReadings

if TYPE_CHECKING:
    from memgen_bench.messages import Report, RunSettings
    from memgen_bench.plan.plan import PlannedNetwork


class InChild:
    """The function that engines run: computes some readings of one network in a child process.

    It may be sent to another process, but its children do not go along: there each network has a
    new one, unless that process lends it some of its own by `with_children`.

    Args:
        children: The children of this process, which persist from one network to the next.
    """

    def __init__(self, children: Children | None = None) -> None:
        self._children = children

    def __reduce__(self) -> tuple[type[InChild], tuple[()]]:
        return InChild, ()

    def with_children(self, children: Children) -> InChild:
        """Return the same function with other children."""
        return InChild(children)

    def __call__(
        self,
        network: PlannedNetwork,
        keys: frozenset[str],
        settings: RunSettings,
        report: Report,
    ) -> None:
        """Compute some readings of one network; see `network_rows.run_network`.

        A reading that takes its process down, or longer than the time-out of the settings, becomes
        a failed row, and the readings that are left go on in a new process. What takes the process
        down while no reading is computed (a training, say) costs all that are left.

        Raises:
            ChildLost: The children were stopped.
            WriteError: There is no room for the network.
        """
        if self._children is not None:
            _compute(self._children, network, keys, settings, report)
            return
        with Children() as own:
            _compute(own, network, keys, settings, report)


def _compute(
    children: Children,
    network: PlannedNetwork,
    keys: frozenset[str],
    settings: RunSettings,
    report: Report,
) -> None:
    progress = PendingReadings(keys, report)
    while True:
        progress.current = ""
        why = ChildLost("error", "its worker left it out")
        try:
            changed = children.call(
                "memgen_bench.workers.network_rows:run_until_changed",
                network,
                progress.left,
                settings,
                report=progress,
                timeout=settings.timeout,
            )
            if changed:
                continue  # in another child, as no number may depend on what this one became
        except ChildLost as lost:
            if lost.error_type == "stopped":
                raise
            why = lost
        if not progress.left:
            return
        doomed = frozenset({progress.current}) if progress.current else progress.left
        progress.fail(network, doomed, str(why), why.error_type)
