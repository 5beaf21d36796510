"""Mean accuracies of decoders and of the control, with their covariance; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from memgen_leaderboard.scoring.layer_choice import CELL, UNIT
from memgen_leaderboard.scoring.statistics import Answers, Array, Crossed, crossed

if TYPE_CHECKING:
    from collections.abc import Mapping

SEEDS_AND_IMAGES, IMAGES = "seeds and test images", "test images"

# The name of an accuracy, such as `decoded`, and its decoder; "" for what all decoders share.
Quantity = tuple[str, str]
CONTROL = ("control", "")


@dataclass(frozen=True)
class Estimates:
    """Mean accuracies with their uncertainty.

    Attributes:
        crossed: The means and the parts of their covariance.
        places: The position of each quantity among the means; a quantity that is missing for any
            network is left out.
    """

    crossed: Crossed
    places: Mapping[Quantity, int]

    @property
    def decoders(self) -> list[str]:
        """The decoders that have an accuracy here."""
        return [decoder for name, decoder in self.places if name == "decoded"]

    @property
    def interval(self) -> str:
        """The source of variation that intervals cover, in words."""
        return IMAGES if self.crossed.seeds is None else SEEDS_AND_IMAGES

    def mean(self, quantity: Quantity) -> float:
        """Return a mean accuracy."""
        return float(self.crossed.means[self.places[quantity]])

    def contrast(self, weights: Mapping[Quantity, float]) -> Array:
        """Return a linear combination of the means, as a row of weights.

        Raises:
            KeyError: A quantity is missing.
        """
        row = np.zeros(len(self.places))
        for quantity, weight in weights.items():
            row[self.places[quantity]] = weight
        return row


def estimates(frame: pl.DataFrame) -> Estimates:
    """Estimate mean accuracies of decoders, and of the control: means over cells.

    Args:
        frame: From `units`, at least one row; every decoder on the same networks.
    """
    rows = frame.sort("decoder", "dataset", "test_count", *UNIT)
    columns: dict[Quantity, pl.Series] = {}
    for (decoder,), own in rows.group_by("decoder", maintain_order=True):
        columns["decoded", str(decoder)] = own["decoded_bits"]
        columns[CONTROL] = own["control_bits"]  # the same for all of them
    complete = {q: bits for q, bits in columns.items() if bits.null_count() == 0}
    networks = rows.head(rows.height // rows["decoder"].n_unique())
    cells = networks.select(pl.struct(CELL).rank("dense"))[:, 0].to_numpy()
    seeds = networks["seed"].to_numpy()
    samples, start = [], 0
    sizes = networks.group_by("dataset", "test_count", maintain_order=True).len()
    for _, images, count in sizes.iter_rows():
        part = slice(start, start := start + count)
        correct = np.stack([_unpacked(bits[part], images) for bits in complete.values()])
        samples.append(Answers(correct=correct, cells=cells[part], seeds=seeds[part]))
    return Estimates(crossed(samples), {q: place for place, q in enumerate(complete)})


def _unpacked(bits: pl.Series, images: int) -> npt.NDArray[np.uint8]:
    packed = np.frombuffer(b"".join(bits), np.uint8).reshape(len(bits), -1)
    return np.unpackbits(packed, axis=1, count=images)
