"""Checkpoints: a training that was stopped goes on where it was, and ends as if it never had been.

On the CPU bit by bit: whatever decides the epochs to come is stored. The one file is replaced
whole, so that a stop in the midst of writing leaves the checkpoint before.
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
    """The checkpoint of one network's training.

    Args:
        folder: Where it lies.
        network: What is trained.
        minutes: How often it is written; 0 for after every epoch.
    """

    def __init__(self, folder: Path, network: PlannedNetwork, minutes: float) -> None:
        self._network = network
        self._entry = resume_entry(folder, network.network_id)
        self._seconds = 60 * minutes
        self._written = time.monotonic()

    def load(self, training: TrainingState) -> None:
        """Take a training to where it was stopped; one that is damaged is set aside."""
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
        """Write the state of a training after an epoch, if it is time to."""
        if time.monotonic() < self._written + self._seconds:
            return
        content = pack(_tensors(training))
        order = training.order.bit_generator.state
        note = note_of(self._network, content, record=asdict(training.record), order=order)
        try:
            write_atomically(self._entry.files[0], note + content)
        except MemgenError as error:  # no reason to stop training
            warnings.warn(f"no checkpoint: {error}", stacklevel=2)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Delete it: the network is trained."""
        self._entry.remove()


def _tensors(training: TrainingState) -> Tensors:
    """Return all tensors that decide the epochs to come, by names with a prefix for each owner."""
    found = {f"module.{name}": value for name, value in _of(training.module).items()}
    for index, values in training.optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if value is not None:  # a momentum before the first step
                found[f"optimizer.{index}.{name}"] = value
    found["random.cpu"] = torch.get_rng_state()
    if training.device.type == "cuda":
        found["random.cuda"] = torch.cuda.get_rng_state(training.device)
    return found


def _of(module: nn.Module) -> Tensors:
    """Return a module's parameters and all of its buffers, of tied ones one."""
    return dict(chain(module.named_parameters(), module.named_buffers()))


def _restore(training: TrainingState, fields: Mapping[str, Any], tensors: Tensors) -> None:
    """Take a training to a checkpoint; where anything is wrong with it, nothing is changed."""
    parts: dict[str, Tensors] = {"module": {}, "optimizer": {}, "random": {}}
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
    training.record, training.order = record, order
    groups = training.optimizer.state_dict()["param_groups"]
    training.optimizer.load_state_dict({"state": momenta, "param_groups": groups})
    torch.set_rng_state(parts["random"]["cpu"])
    if training.device.type == "cuda":
        torch.cuda.set_rng_state(parts["random"]["cuda"], training.device)
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(parts["module"][name])


def _momenta(optimizer: torch.optim.Optimizer, tensors: Tensors) -> dict[int, Tensors]:
    """Return what an optimizer knows of each parameter, in memory laid out as the parameter is.

    A fused optimizer walks through both in the order in which they lie in memory.
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
