"""How a terminal is told what goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from memgen_bench.messages import Epoch
from memgen_bench.running.runner import Observer

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from memgen_bench.messages import Message
    from memgen_bench.plan.plan import Plan, PlannedNetwork
    from memgen_bench.plugin.registry import Problem
    from memgen_bench.running.missing import MissingWork


class ProgressObserver(Observer):
    """Draws networks done / total, the time left, and what is in training.

    Args:
        console: Where to draw; a console that is no terminal gets a line per network instead.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[news]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("networks", total=None, news="planning")
        self._done = self._total = 0
        self._cost: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def problem(self, problem: Problem) -> None:
        """Say that a plugin is broken."""
        self._console.print(f"memgen-bench: warning: {problem}", markup=False)

    def planned(self, plan: Plan, missing_work: MissingWork) -> None:
        """Show how many networks there are to do; the time left goes by what each will cost."""
        self._total = len(missing_work.networks)
        self._cost = dict(zip(missing_work.networks, missing_work.estimate.weights, strict=True))
        self._progress.update(self._task, total=sum(self._cost.values()), news="")
        if self._total < len(plan.networks):
            done = len(plan.networks) - self._total
            self._console.print(f"{done} of {len(plan.networks)} networks are in the results")

    def epoch(self, news: Epoch) -> None:
        """Show the network in training."""
        text = f"{news.label}: epoch {news.epoch}, train accuracy {news.train_accuracy:.3f}"
        self._progress.update(self._task, news=text)

    def stored(self, network: PlannedNetwork, readings: pa.Table | None, done: bool) -> None:
        """Count a network that is done."""
        if not done:
            return
        self._done += 1
        count = f"networks {self._done}/{self._total}"
        cost = self._cost[network.network_id]
        self._progress.update(self._task, advance=cost, description=count)
        if not self._console.is_terminal:
            line = f"{self._done}/{self._total} {network.label} ({network.kind})"
            self._console.print(line, markup=False)


def show_epoch(news: Message) -> None:
    """Say on a terminal, in one line that is written over, how far a single training is."""
    if isinstance(news, Epoch) and sys.stderr.isatty():
        done = f"epoch {news.epoch}, {100 * news.train_accuracy:.1f} % of the labels memorized"
        print(f"\r{news.label}: {done}\033[K", end="", file=sys.stderr, flush=True)
