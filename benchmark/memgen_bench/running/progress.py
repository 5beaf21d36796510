"""The progress of a run: a bar in a terminal, and lines in notebooks and logs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from memgen_bench.errors import printable
from memgen_bench.running.observer import Observer

if TYPE_CHECKING:
    import pyarrow as pa

    from memgen_bench.messages import Epoch
    from memgen_bench.plan.plan import Plan, PlannedNetwork
    from memgen_bench.running.missing import MissingWork

SECONDS = 30.0  # between two lines of one training
_WHOLE_RUN = 1e9  # seconds: the time left follows the mean speed, as networks end one by one


class ProgressObserver(Observer):
    """Shows a progress bar with the networks done, the time left, and the network in training.

    Args:
        console: The console, that of standard error by default; one that is no terminal, as in a
            notebook or a log, gets a line for each network instead, and one every half minute for
            each that is being trained.
        seconds: Seconds between two lines of one training.
    """

    def __init__(self, console: Console | None = None, seconds: float = SECONDS) -> None:
        console = console or Console(stderr=True, highlight=False, force_jupyter=False)
        self._console, self._seconds = console, seconds
        rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # what the times leave
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[news]}", markup=False, table_column=rest),
            expand=True,
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=_WHOLE_RUN,
        )
        self._task = self._progress.add_task("networks", total=None, news="planning")
        self._done = self._total = 0
        self._cost: dict[str, float] = {}
        self._trained: dict[str, tuple[float, int, float]] = {}  # first and last news of each

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(printable(text), markup=False, soft_wrap=True)

    def planned(self, plan: Plan, missing_work: MissingWork) -> None:
        """Show the number of networks to compute; the time left follows their estimated cost."""
        self._total = len(missing_work.networks)
        self._cost = dict(zip(missing_work.networks, missing_work.estimate.weights, strict=True))
        self._progress.update(self._task, total=sum(self._cost.values()), news="")
        if self._total < len(plan.networks):
            done = len(plan.networks) - self._total
            self.say(f"{done} of {len(plan.networks)} networks are in the results")

    def epoch(self, news: Epoch) -> None:
        """Show the network in training."""
        text = f"{news.label}: epoch {news.epoch}, train accuracy {news.train_accuracy:.3f}"
        self._progress.update(self._task, news=text)
        now = time.monotonic()
        first, epoch, last = self._trained.setdefault(news.label, (now, news.epoch, now))
        is_first = news.epoch == epoch
        if self._console.is_terminal or is_first or now - last < self._seconds:
            return
        self._trained[news.label] = (first, epoch, now)
        most = (now - first) / (news.epoch - epoch) * (news.max_epochs - news.epoch)
        self.say(f"{text}; at most {most / 60:.0f} min to epoch {news.max_epochs}")

    def stored(self, network: PlannedNetwork, readings: pa.Table | None, done: bool) -> None:
        """Advance the bar if a network is done."""
        if not done:
            return
        self._done += 1
        count = f"networks {self._done}/{self._total}"
        cost = self._cost[network.network_id]
        self._progress.update(self._task, advance=cost, description=count)
        if not self._console.is_terminal:
            self.say(f"{self._done}/{self._total} {network.label} ({network.kind})")
