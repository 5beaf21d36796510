"""Messages between the runner and its workers, and the run settings; all are plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The run settings, which workers get from the runner.

    Attributes:
        plugin_files: Plugin files that are not installed.
        data_dir: The data root.
        network_dir: The folder of trained networks.
        shared_caches: Further folders of trained networks, which are only read.
        device: The name of the device.
        memory: Most bytes of memory for the activations and moments of one network.
        resume_minutes: Minutes between two writes of a training's resume file.
        timeout: Most seconds of one step: an epoch, a pass over a network's layers, or a reading.
            None: no limit.
        fresh: Whether to train networks again that are cached.
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
    """The progress of a training: the network, its epoch, and its running train accuracy."""

    label: str
    epoch: int
    max_epochs: int
    train_accuracy: float


@dataclass(frozen=True)
class Started:
    """The start of a step: of the reading with this key, or of another step if it is empty."""

    key: str = ""


@dataclass(frozen=True)
class Row:
    """A finished row of one of the tables, `networks` or `readings`."""

    table: str
    columns: dict[str, Any]


Message = Epoch | Started | Row
Report = Callable[[Message], None]
