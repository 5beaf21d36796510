"""The readout of a network, averaged over the epochs of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from memgen_bench.network.tensors import check_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memgen_bench.network.tensors import Tensors


class AveragedReadout:
    """The mean over epochs of a network's probabilities for the M test images, M×K.

    Only some epochs are tested. Each tested one stands for itself and for those since the tested
    one before it. The sum is float64, so that a resumed training has the same one.

    Attributes:
        complete: Whether it has seen every tested epoch; not after a resume from a file without it.
    """

    def __init__(self) -> None:
        self.complete = True
        self._sum: torch.Tensor | None = None
        self._epoch = 0

    def add(self, epoch: int, logits: torch.Tensor) -> None:
        """Add a tested epoch (from 1): its logits for the test images, M×K."""
        weighed = torch.softmax(logits.double(), dim=1) * (epoch - self._epoch)
        self._sum = weighed if self._sum is None else self._sum.to(weighed.device).add_(weighed)
        self._epoch = epoch

    def predictions(self) -> list[int]:
        """Return the predictions of the mean, M; none if it has not seen all tested epochs."""
        return self._sum.argmax(dim=1).tolist() if self.complete and self._sum is not None else []

    def tensors(self) -> Tensors:
        """Return the sum and the last tested epoch, for a resume file."""
        if not self.complete or self._sum is None:
            return {}
        return {"sum": self._sum, "epoch": torch.tensor(self._epoch)}

    @classmethod
    def restored(cls, tensors: Mapping[str, torch.Tensor], images: int) -> AveragedReadout:
        """Return what a resume file stored of M images; without any tensors it is not complete.

        Raises:
            DamagedError: The tensors are no mean over epochs.
        """
        found = cls()
        found.complete = bool(tensors)
        if found.complete:
            classes = tensors["sum"].shape[-1:].numel() if "sum" in tensors else 0
            own = {"sum": torch.empty(images, classes).double(), "epoch": torch.tensor(0)}
            check_fit(tensors, own)
            found._sum, found._epoch = tensors["sum"], int(tensors["epoch"])
        return found
