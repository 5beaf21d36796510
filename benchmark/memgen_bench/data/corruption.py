"""Corrupted labels, their realised rate, and the rates that can be ranked; pure NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import seeds
from memgen_bench.errors import PluginError
from memgen_bench.hashing import array_digest

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_bench.arrays import LabelVector
    from memgen_bench.plugin.specs import NoiseSpec


@dataclass(frozen=True)
class CorruptedLabels:
    """The labels of one draw of a noise.

    Attributes:
        labels: The given labels, N int64.
        realised_rate: Share of labels that differ from the true ones.
        noise_id: Hash of the label vector.
    """

    labels: LabelVector
    realised_rate: float
    noise_id: str


def corrupt(
    noise: NoiseSpec | None,
    labels: LabelVector,
    *,
    rate: float,
    num_classes: int,
    noise_seed: int,
    purpose: str = "noise",
) -> CorruptedLabels:
    """Corrupt true labels.

    Args:
        noise: The noise; None leaves the labels unchanged.
        labels: True labels, N integers in 0..K-1.
        rate: The rate, in [0, 1].
        num_classes: K.
        noise_seed: Seed of the draw.
        purpose: The random stream: `noise`, or `validation_noise` for the validation subset.

    Raises:
        PluginError: The noise returns no valid labels.
    """
    given = labels
    if noise is not None and rate > 0:
        rng = seeds.stream(noise_seed, purpose)
        given = np.asarray(noise.corrupt(labels.copy(), rate, num_classes, rng))
        _check(given, labels, num_classes, noise.name)
    given = np.ascontiguousarray(given, dtype=np.int64)
    changed = float(np.mean(given != labels)) if len(labels) else 0.0
    return CorruptedLabels(given, changed, array_digest(given))


def _check(
    given: npt.NDArray[np.generic], labels: LabelVector, num_classes: int, name: str
) -> None:
    right = given.shape == labels.shape and np.issubdtype(given.dtype, np.integer)
    if not right or (given.size and not (given.min() >= 0 and given.max() < num_classes)):
        raise PluginError(
            f"noise {name!r} returned {given.dtype}{list(given.shape)}; corrupt() must return "
            f"{len(labels)} integer labels in 0..{num_classes - 1}"
        )


def rankable(noise: NoiseSpec, rate: float, num_classes: int) -> bool:
    """Tell whether the true label is the most likely given label, for every class.

    Where it is not (`uniform` at 1, `flip` from 1 - 1/K, `pair` from 1/2) corrupted labels are
    uninformative or misleading, and decoders are not ranked.
    """
    transition = noise.transition(rate, num_classes)
    others = transition - np.diag(np.diag(transition))
    return bool(np.all(np.diag(transition) > others.max(axis=1) + 1e-9))
