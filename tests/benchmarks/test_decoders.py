"""How long decoders take on the fixtures that ship, on one thread.

    pytest tests/benchmarks/test_decoders.py --benchmark-only --benchmark-json now.json

`pytest-benchmark compare` reads that file, and so do services such as Bencher.
"""

from __future__ import annotations

from typing import Any

import pytest

from memgen_bench import load_registry
from memgen_bench.compute import as_tensor
from memgen_bench.fixtures.fixture import load_fixtures

pytestmark = pytest.mark.usefixtures("one_thread")

FIXTURES = {fixture.name: fixture for fixture in load_fixtures() if not fixture.null}
DECODERS = load_registry().decoders
LARGEST = max(FIXTURES, key=lambda name: sum(FIXTURES[name].sizes))
# What a decoder needs beside activations and labels, the benchmark of a whole gate has.
ALONE = [
    name
    for name in DECODERS
    if DECODERS[name].scope == "layer" and not set(DECODERS[name].needs) - {"neighbors"}
]


@pytest.fixture(params=ALONE)
def prepared(request: Any) -> tuple[Any, Any, Any, Any]:
    """Return a decoder, training points, their labels, and test points."""
    spec, fixture = DECODERS[request.param], FIXTURES[LARGEST]
    train, _, test = fixture.points(list(fixture.layers)[-1])
    give = as_tensor if spec.arrays == "torch" else lambda array: array
    return spec.build(), give(train), give(fixture.labels(0)[0]), give(test)


def test_fit(benchmark: Any, prepared: tuple[Any, Any, Any, Any]) -> None:
    decoder, train, labels, _ = prepared
    benchmark.pedantic(decoder.fit, (train, labels), rounds=5, warmup_rounds=1)


def test_predict(benchmark: Any, prepared: tuple[Any, Any, Any, Any]) -> None:
    decoder, train, labels, test = prepared
    decoder.fit(train, labels)
    benchmark.pedantic(decoder.predict, (test,), rounds=5, warmup_rounds=1)
