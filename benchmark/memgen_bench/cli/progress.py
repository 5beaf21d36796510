"""The progress of runs and trainings, shown in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from memgen_bench.messages import Epoch
from memgen_bench.running.progress import ProgressObserver

if TYPE_CHECKING:
    from memgen_bench.messages import Message
    from memgen_bench.plugin.registry import Problem


class CommandObserver(ProgressObserver):
    """Shows problems and notices as lines of the command, and not as Python's warnings."""

    def problem(self, problem: Problem) -> None:
        """Print a warning of a broken plugin."""
        self.say(f"memgen-bench: warning: {problem}")

    def notice(self, text: str) -> None:
        """Print a notice on the data or the results."""
        self.say(f"memgen-bench: note: {text}")


def show_epoch(news: Message) -> None:
    """Show the progress of a training in a terminal, in one line that is overwritten."""
    if isinstance(news, Epoch) and sys.stderr.isatty():
        done = f"epoch {news.epoch}, {100 * news.train_accuracy:.1f} % of the labels memorized"
        print(f"\r{news.label}: {done}\033[K", end="", file=sys.stderr, flush=True)
