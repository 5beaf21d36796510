"""What the runner and its workers tell each other: plain values, and nothing heavy to import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What a worker needs to know of the run.

    Attributes:
        plugin_files: Plugins that are not installed.
        data_dir: Where data sets are.
        network_dir: Where trained networks are kept.
        shared_caches: Further folders of trained networks, only read.
        device: A device's name.
        memory: Bytes that the activations and moments of one network may take up.
        resume_minutes: How often a training saves its state.
        timeout: Seconds that one step may take: an epoch, a pass over a network's layers, a
            reading. None: as long as it takes.
        fresh: Train networks anew, also those that are cached.
    """

    plugin_files: tuple[str, ...]
    data_dir: Path
    network_dir: Path
    shared_caches: tuple[Path, ...] = ()
    device: str
    memory: int = 1 << 30
    resume_minutes: float = 10
    timeout: float | None = None
    fresh: bool = False


@dataclass(frozen=True)
class Epoch:
    """News from a training: which network, its epoch, and its running train accuracy."""

    label: str
    epoch: int
    max_epochs: int
    train_accuracy: float


@dataclass(frozen=True)
class Started:
    """A step has begun: the reading with this key, or, without one, something else."""

    key: str = ""


@dataclass(frozen=True)
class Row:
    """A finished row of one of the tables, `networks` or `readings`."""

    table: str
    columns: dict[str, Any]


Message = Epoch | Started | Row
Report = Callable[[Message], None]
