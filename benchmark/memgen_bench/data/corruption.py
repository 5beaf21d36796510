"""Corrupted labels, their realised rate, and the rates that can be ranked; pure NumPy."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench import seeds
from memgen_bench.errors import NotApplicable, PluginError, UsageError, one_line, text_of
from memgen_bench.hashing import array_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from memgen_bench.arrays import LabelVector, Transition
    from memgen_bench.plugin.specs import NoiseNeed, NoiseSpec


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
    extras: Mapping[NoiseNeed, Any] | None = None,
) -> CorruptedLabels:
    """Corrupt true labels.

    Args:
        noise: The noise; None leaves the labels unchanged.
        labels: True labels, N integers in 0..K-1.
        rate: The rate, in [0, 1].
        num_classes: K.
        noise_seed: Seed of the draw.
        purpose: The random stream: `noise`, or `validation_noise` for the validation subset.
        extras: What noises may need beside the labels, by need.

    Raises:
        UsageError: The noise does not apply to the data.
        PluginError: The noise returns no valid labels.
    """
    given = labels
    if noise is not None and rate > 0:
        rng = seeds.stream(noise_seed, purpose)
        # Copies: it may write to them, and whoever comes next sees the same images.
        needed = {need: copy.deepcopy((extras or {})[need]) for need in noise.needs}
        try:
            given = np.asarray(noise.corrupt(labels.copy(), rate, num_classes, rng, **needed))
        except NotApplicable as reason:
            why = one_line(text_of(reason))
            raise UsageError(f"noise {noise.name!r}: {why}") from reason
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


def realised_transition(true: LabelVector, given: LabelVector, num_classes: int) -> Transition:
    """Return P[true, given] of one draw; a class without a point keeps its label."""
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (true, given), 1)
    empty = counts.sum(axis=1) == 0
    counts[empty, empty] = 1
    shares: Transition = counts / counts.sum(axis=1, keepdims=True)
    return shares


def rankable(transition: Transition) -> bool:
    """Tell whether the true label is the most likely given label, for every class.

    Where it is not (`uniform` at 1, `flip` from 1 - 1/K, `pair` from 1/2) corrupted labels are
    uninformative or misleading, and decoders are not ranked.
    """
    others = transition - np.diag(np.diag(transition))
    return bool(np.all(np.diag(transition) > others.max(axis=1) + 1e-9))
