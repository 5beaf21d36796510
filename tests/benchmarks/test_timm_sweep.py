"""The smallest model of each of timm's families: `pytest tests/benchmarks --benchmark-only -s`.

It counts the parameters of all of timm's models first, which takes minutes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import timm
import torch

from memgen_bench import Task, load_registry
from memgen_bench.network.layers import find_layers

if TYPE_CHECKING:
    from collections.abc import Iterator


TASK = Task(channels=3, height=32, width=32, num_classes=10)
MOST = 8_000_000  # parameters of a model that is read


def layers(name: str) -> list[str]:
    spec = load_registry().models.find(f"timm/{name}")
    return [layer.name for layer in find_layers(spec, TASK, 4096)][:-1]


def smallest() -> Iterator[tuple[str, str | None, int]]:
    """Yield the smallest model of each of timm's modules, None if larger than `MOST`."""
    families = defaultdict(list)
    for name in timm.list_models():
        families[timm.models.model_entrypoint(name).__module__.rpartition(".")[2]].append(name)
    for family, names in sorted(families.items()):
        counts = {name: count(name) for name in names}
        name = min(counts, key=lambda name: counts[name])
        yield family, name if counts[name] <= MOST else None, counts[name]


def count(name: str) -> int:
    """Count a model's parameters without making them."""
    with torch.device("meta"):
        return sum(p.numel() for p in timm.create_model(name, num_classes=10).parameters())


def sweep() -> dict[str, str]:
    """Read the smallest model of each family and return why some cannot be read."""
    failed: dict[str, str] = {}
    large: dict[str, int] = {}
    for family, name, parameters in smallest():
        if name is None:
            large[family] = parameters
            continue
        try:
            assert layers(name), "no layer but logits"
        except Exception as error:
            failed[name] = str(error)[:300]
    print(f"{len(large)} families are larger than {MOST}: {large}")
    print("\n".join(f"{name}: {why}" for name, why in failed.items()))
    return failed


def test_the_smallest_model_of_each_family_can_be_read(benchmark: Any) -> None:
    assert benchmark.pedantic(sweep, rounds=1) == {}
