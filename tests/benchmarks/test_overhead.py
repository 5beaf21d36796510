"""The runner's own cost: 10,000 networks that cost nothing, planned, run and resumed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psutil

import memgen_bench
from memgen_bench.plan.suite import Suite
from memgen_bench.running.observer import Observer

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 10_000
TRIVIAL = """
import numpy as np
from memgen_bench import Data, DatasetSpec, DecoderSpec, ModelSpec, hookimpl

class First:
    def fit(self, X, y):
        self.label = int(y[0])
        return self
    def predict(self, X):
        return np.full(len(X), self.label)

def build(task):
    from torch import nn
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 2))

def load(folder):
    x = np.random.default_rng(0).standard_normal((60, 1, 2, 2)).astype(np.float32)
    train_y, test_y = np.arange(40) % 2, np.arange(20) % 2
    return Data(train_x=x[:40], train_y=train_y, test_x=x[40:], test_y=test_y)

@hookimpl
def register_models():
    return [ModelSpec(name="trivial", summary="s", build=build, layers=())]

@hookimpl
def register_datasets():
    return [DatasetSpec(name="specks", summary="s", load=load)]

@hookimpl
def register_decoders():
    return [DecoderSpec(name="first", summary="s", build=First)]
"""


class Watch(Observer):
    """Notes the memory of the runner and of its child as the run goes on."""

    def __init__(self) -> None:
        self.count, self.bytes = 0, list[int]()

    def stored(self, network: Any, readings: Any, done: bool) -> None:
        self.count += 1
        if self.count % (COUNT // 10) == 0:
            me = psutil.Process()
            self.bytes.append(sum(p.memory_info().rss for p in (me, *me.children())))


def test_the_cost_of_a_network(benchmark: Any, tmp_path: Path) -> None:
    plugin = tmp_path / "trivial.py"
    plugin.write_text(TRIVIAL)
    suite = Suite.model_validate(
        {
            "name": "many",
            "version": 1,
            "models": ["trivial"],
            "datasets": ["specks"],
            "rates": [0.0],
            "kinds": ["untrained"],
            "decoders": ["first"],
            "seeds": list(range(COUNT)),
            "validation_fraction": 0.25,
        }
    )
    watch = Watch()

    def run(observer: Observer) -> float:
        started = time.perf_counter()
        places = {"results": tmp_path / "results", "cache_dir": tmp_path / "cache"}
        summary = memgen_bench.run(suite, **places, plugins=[plugin], jobs=1, observer=observer)  # type: ignore[arg-type] # a dict of paths
        assert summary.ok == summary.planned == 3 * COUNT
        return time.perf_counter() - started

    first = benchmark.pedantic(lambda: run(watch), rounds=1)
    again = run(Observer())
    print(f"\nthe runner's cost of a network: {1e3 * first / COUNT:.1f} ms (asked: <= 20)")
    print(f"a second run of {COUNT:,} networks, with nothing to do: {again:.1f} s")
    low, high = min(watch.bytes[1:]) / 2**20, max(watch.bytes) / 2**20
    print(f"memory of runner and child: {low:.0f} to {high:.0f} MiB (asked: flat)")
