"""The trajectory of a training: a few numbers of each point, which decoders may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """How a network learned the label that each training point was given.

    All numbers are of the training steps themselves, each before its step changed the network; the
    margin is the logit of the given label minus the largest other one.

    Attributes:
        margin: Mean margin over all epochs, the area under the margin, N float32.
        loss: Mean cross entropy over all epochs, N float32.
        early_margin: Mean margin until the epoch that is best on noisy validation; over all epochs
            without validation.
        early_loss: Mean cross entropy over the same epochs.
        first_learned: First epoch (from 1) in which the given label had the largest logit, N int32;
            0: in none.
        last_forgotten: Last epoch in which it had not, after one in which it had; 0: in none.
    """

    margin: npt.NDArray[np.float32]
    loss: npt.NDArray[np.float32]
    early_margin: npt.NDArray[np.float32]
    early_loss: npt.NDArray[np.float32]
    first_learned: npt.NDArray[np.int32]
    last_forgotten: npt.NDArray[np.int32]

    def copy(self) -> Trajectory:
        """Return a copy, which its owner may write to."""
        arrays: dict[str, npt.NDArray[Any]] = vars(self)
        return Trajectory(**{name: array.copy() for name, array in arrays.items()})
