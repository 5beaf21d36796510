"""The progress of runs and trainings, shown in a terminal."""

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

from memgen_bench.errors import printable
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
    """Shows a progress bar with the networks done, the time left, and the network in training.

    Args:
        console: The console; one that is no terminal gets a line for each network instead.
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
        """Print a warning of a broken plugin."""
        self._console.print(printable(f"memgen-bench: warning: {problem}"), markup=False)

    def notice(self, text: str) -> None:
        """Print a notice on the data or the results."""
        self._console.print(printable(f"memgen-bench: note: {text}"), markup=False, soft_wrap=True)

    def planned(self, plan: Plan, missing_work: MissingWork) -> None:
        """Show the number of networks to compute; the time left follows their estimated cost."""
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
        """Advance the bar if a network is done."""
        if not done:
            return
        self._done += 1
        count = f"networks {self._done}/{self._total}"
        cost = self._cost[network.network_id]
        self._progress.update(self._task, advance=cost, description=count)
        if not self._console.is_terminal:
            line = f"{self._done}/{self._total} {network.label} ({network.kind})"
            self._console.print(printable(line), markup=False)


def show_epoch(news: Message) -> None:
    """Show the progress of a training in a terminal, in one line that is overwritten."""
    if isinstance(news, Epoch) and sys.stderr.isatty():
        done = f"epoch {news.epoch}, {100 * news.train_accuracy:.1f} % of the labels memorized"
        print(f"\r{news.label}: {done}\033[K", end="", file=sys.stderr, flush=True)
