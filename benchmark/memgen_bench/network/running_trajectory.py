"""Running numbers of each training point, taken from the logits of the training steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from memgen_bench.network.tensors import check_fit
from memgen_bench.plugin.trajectory import Trajectory

if TYPE_CHECKING:
    from memgen_bench.network.tensors import Tensors
    from memgen_bench.plugin.training_record import TrainingRecord

_MOST_WAITING = 1 << 20  # logits


class RunningTrajectory:
    """What a training has shown of each of its points so far, a few numbers each.

    It looks at logits that the training has anyway, and changes nothing: no weight, no random
    number. Sums over epochs are float64, so that a resumed training has the same ones.

    Args:
        count: Number of training points N.
        device: The device of the training.

    Attributes:
        complete: Whether it has seen every epoch; not after a resume from a file without it.
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self.complete = True
        self._steps: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self._waiting = 0
        self._margin, self._loss = torch.zeros(2, count, device=device)  # of this epoch
        self._state: Tensors = {
            **{
                name: torch.zeros(count, dtype=torch.float64, device=device)
                for name in ("margin", "loss", "early_margin", "early_loss")
            },
            **{
                name: torch.zeros(count, dtype=torch.int32, device=device)
                for name in ("first_learned", "last_forgotten")
            },
            "learned": torch.zeros(count, dtype=torch.bool, device=device),
        }

    def add(self, index: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Add a training step: the positions of its points (B), their logits (B×K), and labels."""
        self._steps.append((index, logits.detach(), labels))
        self._waiting += logits.numel()
        if self._waiting >= _MOST_WAITING:
            self._take_steps()

    def _take_steps(self) -> None:
        """Take margins and losses of the steps that wait: of many at once, which is quicker."""
        if not self._steps:
            return
        index, logits, labels = map(torch.cat, zip(*self._steps, strict=True))
        logits, place = logits.float(), labels[:, None]
        self._loss[index] = functional.cross_entropy(logits, labels, reduction="none")
        own = logits.gather(1, place)[:, 0]
        self._margin[index] = own - logits.scatter_(1, place, -torch.inf).amax(1)
        self._steps, self._waiting = [], 0

    def end_epoch(self, epoch: int) -> None:
        """Add up an epoch (from 1), each of whose points was in one step."""
        self._take_steps()
        state, learned = self._state, self._margin > 0
        state["margin"] += self._margin
        state["loss"] += self._loss
        state["first_learned"][learned & (state["first_learned"] == 0)] = epoch
        state["last_forgotten"][state["learned"] & ~learned] = epoch
        state["learned"] = learned

    def mark_best(self) -> None:
        """Remember the means until here: this epoch is the best on noisy validation so far."""
        for name in ("margin", "loss"):
            self._state[f"early_{name}"] = self._state[name].clone()

    def finish(self, record: TrainingRecord) -> Trajectory | None:
        """Return the trajectory of a training that has ended; None if it has not seen all of it."""
        epochs = len(record.loss)
        if not self.complete or not epochs:
            return None
        state, best = self._state, record.best_validation_epoch
        early = "early_" if best else ""
        means = {
            "margin": state["margin"] / epochs,
            "loss": state["loss"] / epochs,
            "early_margin": state[f"{early}margin"] / (best or epochs),
            "early_loss": state[f"{early}loss"] / (best or epochs),
        }
        return Trajectory(
            **{name: value.float().cpu().numpy() for name, value in means.items()},
            first_learned=state["first_learned"].cpu().numpy(),
            last_forgotten=state["last_forgotten"].cpu().numpy(),
        )

    def tensors(self) -> Tensors:
        """Return what a resume file stores."""
        return dict(self._state)

    def restore(self, tensors: Tensors) -> None:
        """Go on from a resume file; without any tensors it is not complete any more.

        Raises:
            DamagedError: The tensors are of another training.
        """
        self.complete = bool(tensors)
        if self.complete:
            check_fit(tensors, self._state)
            self._state = {name: value.to(self._margin.device) for name, value in tensors.items()}
