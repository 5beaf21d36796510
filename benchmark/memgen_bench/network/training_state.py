"""The state of a training between two epochs: what a resume file holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

    from memgen_bench.plugin.training_record import TrainingRecord


@dataclass(kw_only=True)
class TrainingState:
    """What decides the epochs to come, torch's random state apart; see `resume`.

    Attributes:
        module: The network.
        optimizer: Its optimizer.
        order: The stream from which batches are drawn.
        record: The epochs so far.
        device: Where it is trained.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    order: np.random.Generator
    record: TrainingRecord
    device: torch.device
