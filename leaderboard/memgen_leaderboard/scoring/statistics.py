"""Uncertainty over seeds and test images, which are crossed: all seeds share the same images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float64]

LEVEL = 0.95
LEAST_SEEDS = 3  # two are too few to estimate the variance between seeds

# Cuts of the distribution function of a χ² into pieces, finest where the function is smallest.
_CUTS = np.concatenate([np.logspace(-16, -2, 280), np.linspace(0.01, 1, 250)[1:]])


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Right and wrong answers on the test images of one data set.

    Attributes:
        correct: Quantities × networks × images, 1 where right.
        cells: The cell of each network.
        seeds: The seed of each network; a seed is the same in all data sets.
    """

    correct: npt.NDArray[Any]
    cells: npt.NDArray[np.int64]
    seeds: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """Mean accuracies of several quantities, with their covariance by seeds and by images.

    With seeds a, images b and residual e, the mean of S × n answers has the variance
    (σ²a + σ²e/n)/S + σ²b/n. The first term is known with S - 1 degrees of freedom only, the second
    with as many as there are images. So an error is distributed as t·√first + z·√second, the
    solution of Behrens (1929) and Fisher (1935). With few seeds it also holds in the far tails,
    which matter where many pairs are compared; one approximate t (Satterthwaite 1946) does not.

    Attributes:
        means: The means over networks and images, one for each quantity.
        images: Covariance of the means by variation between images, residual included.
        residual: The part of `images` that comes from the residual.
        seeds: Covariance of the means by variation between seeds, residual included; None where
            cells have fewer than `LEAST_SEEDS` on average: intervals are then over test images
            alone.
        freedom: Degrees of freedom of `seeds`, or of `images` where `seeds` is None.
    """

    means: Array
    images: Array
    residual: Array
    seeds: Array | None
    freedom: int

    def half_widths(self, contrasts: Array) -> Array:
        """Return half the width of the `LEVEL` interval of each linear combination of the means.

        Args:
            contrasts: Combinations × quantities.
        """
        student, normal = self._variances(contrasts)
        high = stats.t.isf((1 - LEVEL) / 2, self.freedom) * (np.sqrt(student) + np.sqrt(normal))
        low = np.zeros_like(high)
        for _ in range(40):
            middle = (low + high) / 2
            outside = self._two_sided(middle, student, normal) > 1 - LEVEL
            low, high = np.where(outside, middle, low), np.where(outside, high, middle)
        return np.asarray(high)

    def p_values(self, contrasts: Array) -> Array:
        """Return two-sided p values for each combination being zero; tiny ones are inexact."""
        return self._two_sided(np.abs(contrasts @ self.means), *self._variances(contrasts))

    def _variances(self, contrasts: Array) -> tuple[Array, Array]:
        images = _quadratic(contrasts, self.images)
        if self.seeds is None:
            return images, np.zeros_like(images)
        rest = images - _quadratic(contrasts, self.residual)
        return _quadratic(contrasts, self.seeds), rest.clip(min=0)

    def _two_sided(self, errors: Array, student: Array, normal: Array) -> Array:
        """Return the probability of errors of at least this size, in either direction."""
        deviations = np.sqrt(np.outer(student, self._stretches) + normal[:, None])
        ratios = errors[:, None] / np.maximum(deviations, np.finfo(float).tiny)
        return np.asarray(2 * special.ndtr(-ratios) @ np.diff(_CUTS) / (_CUTS[-1] - _CUTS[0]))

    @cached_property
    def _stretches(self) -> Array:
        """The ratio of a variance to its estimate, a value for each piece of the χ²."""
        middles = (_CUTS[1:] + _CUTS[:-1]) / 2
        return np.asarray(self.freedom / stats.chi2.ppf(middles, self.freedom))


def crossed(samples: Sequence[Answers]) -> Crossed:
    """Split the uncertainty of mean accuracies into that of seeds and that of test images.

    A mean over cells, each of which is a mean over its own networks, counts every cell alike.
    Cells (model, data set, noise, rate) are fixed, so variation between them does not count; seeds
    and images are random. A seed is one repetition of all its networks. The split is that of the
    analysis of variance where every cell has every seed; where some are missing, residuals from a
    cell's mean are scaled by √(S/(S - 1)), S being the cell's own number of seeds. The degrees of
    freedom are the average number of seeds of a cell, minus one.

    Args:
        samples: The answers of each data set, all with the same quantities.
    """
    total = sum(len(np.unique(sample.cells)) for sample in samples)
    names = np.unique(np.concatenate([sample.seeds for sample in samples]))
    count = len(samples[0].correct)
    means, by_seed = np.zeros(count), np.zeros((count, len(names)))
    images, residual = np.zeros((count, count)), np.zeros((count, count))
    of_a_cell = _seeds_of_a_cell(samples)
    over_seeds = of_a_cell >= LEAST_SEEDS
    for sample in samples:
        weights = _weights(sample) / total
        per_image = np.zeros(sample.correct.shape[::2])
        for place, weight in enumerate(weights):
            per_image += weight * sample.correct[:, place]
        means += per_image.mean(axis=1)
        images += _of_means(per_image)
        if over_seeds:
            deviations = _deviations(sample, names, weights)
            by_seed += deviations.mean(axis=2)
            residual += _of_means(deviations)
    smallest = min(sample.correct.shape[2] for sample in samples)
    return Crossed(
        means=means,
        images=images,
        residual=residual,
        seeds=by_seed @ by_seed.T if over_seeds else None,
        freedom=(of_a_cell if over_seeds else smallest) - 1,
    )


def _seeds_of_a_cell(samples: Sequence[Answers]) -> int:
    """Return the average number of different seeds of a cell, rounded down."""
    counts = [
        len(np.unique(sample.seeds[sample.cells == cell]))
        for sample in samples
        for cell in np.unique(sample.cells)
    ]
    return sum(counts) // len(counts)


def _weights(sample: Answers) -> Array:
    """Return the weight of each network in the mean of its cell."""
    _, cells, sizes = np.unique(sample.cells, return_inverse=True, return_counts=True)
    return np.asarray(1 / sizes[cells])


def _deviations(sample: Answers, names: npt.NDArray[np.int64], weights: Array) -> Array:
    """Return quantities × seeds × images: a seed's networks minus the means of their cells."""
    quantities, _, images = sample.correct.shape
    found = np.zeros((quantities, len(names), images))
    places = np.searchsorted(names, sample.seeds)
    for cell in np.unique(sample.cells):
        members = np.flatnonzero(sample.cells == cell)
        count = len(np.unique(places[members]))
        if count < 2:
            continue
        mean = sample.correct[:, members].mean(axis=1, dtype=np.float64)
        for member in members:
            scale = weights[member] * np.sqrt(count / (count - 1))
            found[:, places[member]] += (sample.correct[:, member] - mean) * scale
    return found


def _of_means(values: Array) -> Array:
    """Return the covariance of means over images (the last axis), summed over middle axes."""
    images = values.shape[-1]
    centred = (values - values.mean(axis=-1, keepdims=True)).reshape(len(values), -1)
    return np.asarray(centred @ centred.T / (images * (images - 1)))


def _quadratic(contrasts: Array, covariance: Array) -> Array:
    """Return the variances of linear combinations, clipped at 0 against rounding."""
    return np.asarray(((contrasts @ covariance) * contrasts).sum(axis=1).clip(min=0))


def holm(p_values: Array) -> Array:
    """Adjust p values for multiple comparisons: the family-wise error rate holds (Holm 1979)."""
    order = np.argsort(p_values)
    stepped = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return adjusted
