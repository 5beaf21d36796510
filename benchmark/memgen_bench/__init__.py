"""memgen-bench: how much generalization can be read out of networks that memorized their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memgen_bench.errors import (
    DataError,
    DataNotFoundError,
    MemgenError,
    NotApplicable,
    PluginError,
    UsageError,
)
from memgen_bench.messages import Report
from memgen_bench.plugin.composition import compose
from memgen_bench.plugin.hookspecs import hookimpl
from memgen_bench.plugin.specs import (
    Data,
    DatasetSpec,
    Decoder,
    DecoderSpec,
    Engine,
    EngineSpec,
    Family,
    FeaturesSpec,
    ModelSpec,
    Need,
    NoiseNeed,
    NoiseSpec,
    Positions,
    Recipe,
    Task,
)
from memgen_bench.plugin.training_record import TrainingRecord
from memgen_bench.plugin.trajectory import Trajectory

if TYPE_CHECKING:
    from memgen_bench.fixtures.own_activations import own_fixture
    from memgen_bench.gate.trial import try_decoder
    from memgen_bench.plugin.registry import Registry, load_registry
    from memgen_bench.results.store import read_networks, read_results
    from memgen_bench.running.observer import Observer
    from memgen_bench.running.progress import ProgressObserver
    from memgen_bench.running.runner import Summary, run

__version__ = "0.1.0"

__all__ = [
    "Data",
    "DataError",
    "DataNotFoundError",
    "DatasetSpec",
    "Decoder",
    "DecoderSpec",
    "Engine",
    "EngineSpec",
    "Family",
    "FeaturesSpec",
    "MemgenError",
    "ModelSpec",
    "Need",
    "NoiseNeed",
    "NoiseSpec",
    "NotApplicable",
    "Observer",
    "PluginError",
    "Positions",
    "ProgressObserver",
    "Recipe",
    "Registry",
    "Report",
    "Summary",
    "Task",
    "TrainingRecord",
    "Trajectory",
    "UsageError",
    "build_decoder",
    "compose",
    "hookimpl",
    "load_registry",
    "own_fixture",
    "read_networks",
    "read_results",
    "run",
    "try_decoder",
]

# Names that need torch, pyarrow or installed plugins are imported on first use.
_LAZY = {
    "Registry": "memgen_bench.plugin.registry",
    "load_registry": "memgen_bench.plugin.registry",
    "Summary": "memgen_bench.running.runner",
    "run": "memgen_bench.running.runner",
    "Observer": "memgen_bench.running.observer",
    "ProgressObserver": "memgen_bench.running.progress",
    "own_fixture": "memgen_bench.fixtures.own_activations",
    "read_networks": "memgen_bench.results.store",
    "read_results": "memgen_bench.results.store",
    "try_decoder": "memgen_bench.gate.trial",
}


def build_decoder(name: str) -> Decoder:
    """Return a new estimator of a registered decoder.

    Args:
        name: The decoder's name, such as `masc`.

    Raises:
        UsageError: No such decoder.

    Examples:
        >>> import memgen_bench
        >>> memgen_bench.build_decoder("masc")
        MASC()
    """
    from memgen_bench.plugin.registry import load_registry

    return load_registry().decoders.find(name).build()


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
