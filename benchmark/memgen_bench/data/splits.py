"""Splits of a data set into training, validation and test subsets; pure NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import seeds
from memgen_bench.errors import UsageError
from memgen_bench.protocol import TRAIN_SAMPLE

if TYPE_CHECKING:
    from memgen_bench.arrays import Index, LabelVector


_TEST_SEED = 0  # the test subset is the same for every seed


@dataclass(frozen=True, kw_only=True)
class Split:
    """Indices into a data set's training images, ascending.

    Attributes:
        train: Points on which the network is trained, and decoders may be fitted.
        held_out: Points on which decoders may be fitted, and which no network is trained on.
        validation: Points on which layers and parameters are chosen.
    """

    train: Index
    held_out: Index
    validation: Index


def stratified_order(labels: LabelVector, rng: np.random.Generator) -> Index:
    """Order points at random such that every prefix holds all classes in proportion.

    Within a class the order is random; the i-th of its n points gets the place (i + u) / n,
    u uniform in [0, 1), and points are sorted by place.
    """
    keys, offsets = rng.random(len(labels)), rng.random(len(labels))
    places = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(keys[members], kind="stable")]
        places[members] = (np.arange(len(members)) + offsets[members]) / len(members)
    return np.argsort(places, kind="stable")


def split_train(
    labels: LabelVector,
    *,
    seed: int,
    train_size: int | None,
    validation_fraction: float,
    held_out_fraction: float = 0.0,
) -> Split:
    """Choose training, held-out and validation subsets; they depend on the seed alone.

    The validation subset does not depend on the held-out one, which is taken from the training
    subset.

    Args:
        labels: All true training labels.
        seed: The seed of the split.
        train_size: Number of points in all subsets together; None for all points.
        validation_fraction: Share of these points in the validation subset, in [0, 1).
        held_out_fraction: Share of these points in the held-out subset, in [0, 1).

    Raises:
        UsageError: `train_size` is larger than the training set, or the training subset is empty.
    """
    size = len(labels) if train_size is None else train_size
    if not 0 < size <= len(labels):
        raise UsageError(f"train_size {size} is not between 1 and the {len(labels)} images there")
    chosen = stratified_order(labels, seeds.stream(seed, "split"))[:size]
    kept = size - round(size * validation_fraction)
    trained = kept - round(size * held_out_fraction)
    if trained < 1:
        fractions = f"validation_fraction {validation_fraction}"
        if held_out_fraction:
            fractions += f" and held_out_fraction {held_out_fraction}"
        raise UsageError(f"{fractions} leave{'s' * (not held_out_fraction)} nothing to train on")
    return Split(
        train=np.sort(chosen[:trained]),
        held_out=np.sort(chosen[trained:kept]),
        validation=np.sort(chosen[kept:]),
    )


def train_sample(labels: LabelVector, seed: int) -> Index:
    """Choose the points on which train accuracy is measured: positions, ascending."""
    order = stratified_order(labels, seeds.stream(seed, "sample"))
    return np.sort(order[:TRAIN_SAMPLE])


def test_subset(labels: LabelVector, test_size: int | None) -> Index:
    """Return the test subset, the same for every seed, in the data set's order.

    Raises:
        UsageError: `test_size` is larger than the test set.
    """
    if test_size is None:
        return np.arange(len(labels))
    if not 0 < test_size <= len(labels):
        raise UsageError(f"test_size {test_size} is not between 1 and the {len(labels)} there")
    order = stratified_order(labels, seeds.stream(_TEST_SEED, "split"))
    return np.sort(order[:test_size])


test_subset.__test__ = False  # type: ignore[attr-defined] # pytest would collect it by its name
