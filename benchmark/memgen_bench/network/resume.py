"""Resume files: a stopped training continues from the last one, with the same results.

On the CPU the results are equal bit by bit, since all that decides later epochs is stored. The
file is replaced atomically: a stop while it is written leaves the previous one.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench.errors import DamagedError, MemgenError, one_line
from memgen_bench.files.atomic import write_atomically
from memgen_bench.network.averaged_readout import AveragedReadout
from memgen_bench.network.cache_files import note_of, resume_entry
from memgen_bench.network.tensors import check_fit, pack, unpack
from memgen_bench.plugin.training_record import TrainingRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from memgen_bench.network.tensors import Tensors
    from memgen_bench.network.training_state import TrainingState
    from memgen_bench.plan.plan import PlannedNetwork


class ResumeFile:
    """The resume file of one network's training.

    Args:
        folder: The folder that holds the file.
        network: The network to train.
        minutes: Least time between two writes; 0: write after every epoch.
    """

    def __init__(self, folder: Path, network: PlannedNetwork, minutes: float) -> None:
        self._network = network
        self._entry = resume_entry(folder, network.network_id)
        self._seconds = 60 * minutes
        self._written = time.monotonic()

    def load(self, training: TrainingState) -> None:
        """Restore a training from the file, if there is one; a damaged file is set aside."""
        if not self._entry.there:
            return
        try:
            fields, content = self._entry.read()
            _restore(training, fields, unpack(content))
        except DamagedError as error:
            self._entry.set_aside()
            warnings.warn(
                f"{self._entry.files[0]}: damaged, set aside ({error}); trained anew", stacklevel=2
            )

    def save(self, training: TrainingState) -> None:
        """Write the state of a training after an epoch, if the last write is long enough ago."""
        if time.monotonic() < self._written + self._seconds:
            return
        content = pack(_tensors(training))
        order = training.order.bit_generator.state
        note = note_of(self._network, content, record=asdict(training.record), order=order)
        try:
            write_atomically(self._entry.files[0], note + content)
        except MemgenError as error:  # training can go on without it
            warnings.warn(f"no checkpoint: {error}", stacklevel=2)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Delete the file after the training has ended."""
        self._entry.remove()


def _tensors(training: TrainingState) -> Tensors:
    """Return all tensors that decide later epochs, under names that begin with their owner."""
    found = {f"module.{name}": value for name, value in _of(training.module).items()}
    for index, values in training.optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if value is not None:  # None is a momentum before the first step
                found[f"optimizer.{index}.{name}"] = value
    if training.trajectory and training.trajectory.complete:
        for name, value in training.trajectory.tensors().items():
            found[f"trajectory.{name}"] = value
    for name, value in training.averaged.tensors().items():
        found[f"averaged.{name}"] = value
    found["random.cpu"] = torch.get_rng_state()
    if training.device.type == "cuda":
        found["random.cuda"] = torch.cuda.get_rng_state(training.device)
    return found


def _of(module: nn.Module) -> Tensors:
    """Return a module's parameters and buffers by name; tied ones only once."""
    return dict(chain(module.named_parameters(), module.named_buffers()))


def _restore(training: TrainingState, fields: Mapping[str, Any], tensors: Tensors) -> None:
    """Restore a training from a resume file; if anything in it is wrong, change nothing."""
    owners = ("module", "optimizer", "random", "trajectory", "averaged")
    parts: dict[str, Tensors] = {owner: {} for owner in owners}
    try:
        for name, value in tensors.items():
            owner, _, rest = name.partition(".")
            parts[owner][rest] = value
        record, order = TrainingRecord(**fields["record"]), np.random.default_rng()
        order.bit_generator.state = fields["order"]
        momenta = _momenta(training.optimizer, parts["optimizer"])
        torch.Generator().set_state(parts["random"]["cpu"])
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        raise DamagedError(one_line(error)) from error
    own = _of(training.module)
    check_fit(parts["module"], own)
    averaged = AveragedReadout.restored(parts["averaged"], len(record.best_test_predictions))
    if training.trajectory:
        training.trajectory.restore(parts["trajectory"])
    training.record, training.order, training.averaged = record, order, averaged
    groups = training.optimizer.state_dict()["param_groups"]
    training.optimizer.load_state_dict({"state": momenta, "param_groups": groups})
    torch.set_rng_state(parts["random"]["cpu"])
    if training.device.type == "cuda":
        torch.cuda.set_rng_state(parts["random"]["cuda"], training.device)
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(parts["module"][name])


def _momenta(optimizer: torch.optim.Optimizer, tensors: Tensors) -> dict[int, Tensors]:
    """Return the optimizer's state of each parameter, in the parameter's memory layout.

    A fused optimizer reads both in the order in which they lie in memory.
    """
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    state: dict[int, Tensors] = {}
    for name, value in tensors.items():
        index, _, what = name.partition(".")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[what] = value
    return state
