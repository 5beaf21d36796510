"""A run says how it goes on where there is no terminal: a line for each network, some of epochs."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.text import Text

from memgen_bench.messages import Epoch
from memgen_bench.running.progress import ProgressObserver


def lines_of(seconds: float, epochs: int, *, terminal: bool = False) -> list[str]:
    out = io.StringIO()
    network = SimpleNamespace(network_id="n", label="mlp on digits", kind="clean")
    work: Any = SimpleNamespace(networks={"n": ()}, estimate=SimpleNamespace(weights=[1.0]))
    plan: Any = SimpleNamespace(networks=[network])
    console = Console(file=out, width=60 if terminal else 40, force_terminal=terminal)
    with ProgressObserver(console, seconds) as observer:
        observer.planned(plan, work)
        for epoch in range(1, epochs + 1):
            observer.epoch(Epoch("mlp on digits", epoch, 500, epoch / 10))
        observer.stored(network, None, True)  # type: ignore[arg-type]
    return out.getvalue().splitlines()


def test_a_long_training_has_lines_with_its_epoch_and_the_time_left() -> None:
    *epochs, last = lines_of(seconds=0, epochs=3)
    assert [line.rpartition(" to ")[0] for line in epochs] == [
        "mlp on digits: epoch 2, train accuracy 0.200; at most 0 min",
        "mlp on digits: epoch 3, train accuracy 0.300; at most 0 min",
    ]
    assert epochs[0].endswith(" to epoch 500")
    assert last == "1/1 mlp on digits (clean)"


def test_a_short_training_has_one_line() -> None:
    assert lines_of(seconds=30, epochs=5) == ["1/1 mlp on digits (clean)"]


def test_a_narrow_terminal_shows_both_times_and_cuts_the_news() -> None:
    drawn = "\n".join(lines_of(seconds=30, epochs=5, terminal=True))
    shown = Text.from_ansi(drawn.rpartition("networks 1/1")[2]).plain
    assert re.search(r" \d:\d\d:\d\d \d:\d\d:\d\d mlp on .*…", shown), shown
