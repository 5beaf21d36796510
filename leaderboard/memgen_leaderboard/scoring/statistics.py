"""Uncertainty over seeds and test images, which are crossed: all seeds share the same images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float64]

LEVEL = 0.95
LEAST_SEEDS = 3  # two are too few to estimate the variance between seeds

_FEWEST_TO_MODERATE = 4  # contrasts; the variance of fewer logarithms says too little
_RELATIVE_ZERO = 1e-9  # variances that are this much smaller than the largest are rounding errors
_LARGE = 1e6  # degrees of freedom of what is as good as normal

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
    The first terms of a family of contrasts are moderated (see `moderated`), with at most a third
    of the degrees of freedom that the family adds to those of one contrast: the prior comes from
    the same contrasts, which are not independent.

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
            contrasts: Combinations × quantities: a family, whose variances are moderated together.
        """
        student, normal, freedom = self._variances(contrasts)
        stretches = _stretches(freedom)
        high = stats.t.isf((1 - LEVEL) / 2, freedom) * (np.sqrt(student) + np.sqrt(normal))
        low = np.zeros_like(high)
        for _ in range(40):
            middle = (low + high) / 2
            outside = _two_sided(middle, student, normal, stretches) > 1 - LEVEL
            low, high = np.where(outside, middle, low), np.where(outside, high, middle)
        return np.asarray(high)

    def p_values(self, contrasts: Array) -> Array:
        """Return two-sided p values for each combination being zero; tiny ones are inexact.

        Args:
            contrasts: As in `half_widths`.
        """
        student, normal, freedom = self._variances(contrasts)
        errors = np.abs(contrasts @ self.means)
        return _two_sided(errors, student, normal, _stretches(freedom))

    def _variances(self, contrasts: Array) -> tuple[Array, Array, float]:
        images = _quadratic(contrasts, self.images)
        if self.seeds is None:
            return images, np.zeros_like(images), self.freedom
        rest = images - _quadratic(contrasts, self.residual)
        own = _quadratic(contrasts, self.seeds)
        known = _freedom_of_all(contrasts, self.seeds, self.freedom)
        student, freedom = moderated(own, self.freedom, (known - self.freedom) / 3)
        return student, rest.clip(min=0), freedom


def moderated(variances: Array, freedom: int, most: float) -> tuple[Array, float]:
    """Squeeze estimated variances towards each other (Smyth 2004).

    True variances are taken to be s²·d/χ²(d) distributed, with s² and the prior's degrees of
    freedom d from the mean and the variance of the estimates' logarithms. The further the estimates
    are apart than chance alone would have them, the less they are squeezed.

    Args:
        variances: Estimates, each with the same degrees of freedom.
        freedom: Their degrees of freedom.
        most: The most that the prior may have.

    Returns:
        The moderated variances and their degrees of freedom, those of the prior included.
    """
    positive = variances[variances > _RELATIVE_ZERO * variances.max(initial=0)]
    if len(positive) < _FEWEST_TO_MODERATE or most <= 0:
        return variances, float(freedom)
    logs = np.log(positive) - special.digamma(freedom / 2) + np.log(freedom / 2)
    spread = float(logs.var(ddof=1) - special.polygamma(1, freedom / 2))
    prior = min(2 * _inverse_trigamma(spread), most)
    common = np.exp(logs.mean() + special.digamma(prior / 2) - np.log(prior / 2))
    return (prior * common + freedom * variances) / (prior + freedom), prior + freedom


def _inverse_trigamma(value: float) -> float:
    """Return x with ψ′(x) = value; infinity where the value is too small to tell from 0."""
    if value < special.polygamma(1, _LARGE):
        return np.inf
    log = optimize.brentq(lambda y: special.polygamma(1, np.exp(y)) - value, -20, np.log(_LARGE))
    return float(np.exp(log))


def _freedom_of_all(contrasts: Array, covariance: Array, freedom: int) -> float:
    """Return the degrees of freedom of the sum of all contrasts' variances (Box 1954).

    Where all contrasts move together they know no more of variances than one. The squares of Σ and
    of its trace are estimated without bias from an estimate of Σ.
    """
    product = covariance @ (contrasts.T @ contrasts)
    total, of_square = float(np.trace(product)), float((product * product.T).sum())
    unbiased = (of_square - total**2 / freedom) * freedom**2 / ((freedom + 2) * (freedom - 1))
    if total <= 0:
        return float(freedom)
    least = total**2 / len(contrasts)  # that of equal and independent variances
    square = total**2 - 2 * unbiased / freedom
    return max(freedom * square / max(unbiased, least), float(freedom))


def _two_sided(errors: Array, student: Array, normal: Array, stretches: Array) -> Array:
    """Return the probability of errors of at least this size, in either direction."""
    deviations = np.sqrt(np.outer(student, stretches) + normal[:, None])
    ratios = errors[:, None] / np.maximum(deviations, np.finfo(float).tiny)
    return np.asarray(2 * special.ndtr(-ratios) @ np.diff(_CUTS) / (_CUTS[-1] - _CUTS[0]))


def _stretches(freedom: float) -> Array:
    """Return the ratio of a variance to its estimate, a value for each piece of the χ²."""
    middles = (_CUTS[1:] + _CUTS[:-1]) / 2
    return np.asarray(freedom / stats.chi2.ppf(middles, freedom))


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
