"""The cache of trained networks: loaded from several folders, saved to one."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch

from memgen_bench.errors import DamagedError
from memgen_bench.files.atomic import write_atomically
from memgen_bench.network.cache_files import network_entry, note_of, trajectory_entry
from memgen_bench.network.tensors import check_fit, pack, unpack
from memgen_bench.plugin.training_record import TrainingRecord
from memgen_bench.plugin.trajectory import Trajectory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import nn

    from memgen_bench.network.cache_files import CacheEntry
    from memgen_bench.plan.plan import PlannedNetwork


class NetworkCache:
    """Trained networks by `network_id` (see `cache_files.CacheEntry`).

    Args:
        folder: The folder to search first, and to write to.
        shared: Further folders to search, which are never written to.
    """

    def __init__(self, folder: Path, shared: Iterable[Path] = ()) -> None:
        self.folder, self.shared = folder, tuple(shared)

    def load(self, network_id: str, module: nn.Module) -> TrainingRecord | None:
        """Load a network's weights into a module and return its record; None if not cached.

        Files that are damaged, or do not fit the module, are not used: a warning names them, and
        in the cache's own folder they are set aside. Weights without a note are a `save` that was
        killed, and no network yet.
        """
        for folder in (self.folder, *self.shared):
            entry = network_entry(folder, network_id)
            if entry.files[0].is_file():
                try:
                    return _load(entry, module)
                except DamagedError as error:
                    self._reject(entry, error)
        return None

    def _reject(self, entry: CacheEntry, error: DamagedError) -> None:
        own = entry.folder == self.folder
        if own:
            entry.set_aside()
        done = "set aside" if own else "not used"
        warnings.warn(f"{entry.files[0]}: damaged, {done} ({error})", stacklevel=3)

    def load_trajectory(self, network_id: str) -> Trajectory | None:
        """Return a network's trajectory; None if it is not cached, or damaged."""
        for folder in (self.folder, *self.shared):
            entry = trajectory_entry(folder, network_id)
            if entry.there:
                try:
                    return _load_trajectory(entry)
                except DamagedError as error:
                    self._reject(entry, error)
        return None

    def save(
        self,
        network: PlannedNetwork,
        module: nn.Module,
        record: TrainingRecord,
        trajectory: Trajectory | None = None,
    ) -> None:
        """Store a trained network, and its trajectory in a file of its own.

        Raises:
            MemgenError: The disk is full, or the folder is not writable.
        """
        if trajectory:
            tensors = pack(
                {name: torch.from_numpy(each) for name, each in vars(trajectory).items()}
            )
            (file,) = trajectory_entry(self.folder, network.network_id).files
            write_atomically(file, note_of(network, tensors) + tensors)
        content = pack(module.state_dict())
        note, weights = network_entry(self.folder, network.network_id).files
        write_atomically(weights, content)
        write_atomically(note, note_of(network, content, record=asdict(record)))


def _load(entry: CacheEntry, module: nn.Module) -> TrainingRecord:
    fields, content = entry.read()
    weights = unpack(content)
    check_fit(weights, module.state_dict())
    try:
        record = TrainingRecord(**fields["record"])
    except (LookupError, TypeError) as error:
        raise DamagedError(f"its record is not one of ours ({error})") from error
    module.load_state_dict(weights)
    return record


def _load_trajectory(entry: CacheEntry) -> Trajectory:
    _, content = entry.read()
    try:
        return Trajectory(**{name: each.numpy() for name, each in unpack(content).items()})
    except TypeError as error:
        raise DamagedError(f"its trajectory is not one of ours ({error})") from error
