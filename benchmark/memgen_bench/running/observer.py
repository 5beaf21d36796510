"""Observers of a run, which are told how it goes on."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pyarrow as pa

    from memgen_bench.messages import Epoch
    from memgen_bench.plan.plan import Plan, PlannedNetwork
    from memgen_bench.plugin.registry import Problem
    from memgen_bench.running.missing import MissingWork


class Observer:
    """An observer of a run's progress: derive from it, and replace the methods that matter to you.

    This one warns of problems and notices and is silent otherwise. A run enters it as a context
    when it begins, and leaves it when it ends.

    Examples:
        >>> import memgen_bench
        >>> class Counting(memgen_bench.Observer):
        ...     networks = 0
        ...     def stored(self, network, readings, done):
        ...         self.networks += done
        >>> counting = Counting()
        >>> summary = memgen_bench.run(
        ...     "smoke",
        ...     kinds=["untrained"],
        ...     decoders=["ncm"],
        ...     results="my-results",
        ...     engine="serial",
        ...     fresh=True,
        ...     observer=counting,
        ... )
        >>> counting.networks == summary.networks
        True
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End with the run."""

    def problem(self, problem: Problem) -> None:
        """Warn of an installed plugin that is broken; the run goes on without it."""
        warnings.warn(str(problem), stacklevel=2)

    def notice(self, text: str) -> None:
        """Warn of a notice on the data or the results, a line for the user."""
        warnings.warn(text, stacklevel=2)

    def planned(self, plan: Plan, missing_work: MissingWork) -> None:
        """Note the plan, and its missing readings."""

    def epoch(self, news: Epoch) -> None:
        """Note the progress of a training."""

    def stored(self, network: PlannedNetwork, readings: pa.Table | None, done: bool) -> None:
        """Note that readings of a network are stored, and whether it is done."""
