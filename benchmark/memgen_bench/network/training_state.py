"""The state of a training between two epochs, which a resume file stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memgen_bench.network.averaged_readout import AveragedReadout

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

    from memgen_bench.network.running_trajectory import RunningTrajectory
    from memgen_bench.plugin.training_record import TrainingRecord


@dataclass(kw_only=True)
class TrainingState:
    """The state that decides later epochs, except torch's random state; see `resume`.

    Attributes:
        module: The network.
        optimizer: The optimizer.
        order: The random stream of the batches.
        record: The record of the epochs so far.
        device: The device of the training.
        trajectory: What it has shown of each point so far; None where nobody asks.
        averaged: The mean of its readouts of the test images so far.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    order: np.random.Generator
    record: TrainingRecord
    device: torch.device
    trajectory: RunningTrajectory | None = None
    averaged: AveragedReadout = field(default_factory=AveragedReadout)
