"""Label noise that looks at the images: `instance`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import NoiseSpec, hookimpl

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_bench.arrays import Images, LabelVector

_SPREAD = 0.1  # of the images' own rates about the asked one
_SEED = 20200614  # of the weights that all draws share, or validation would follow another rule
_BLOCK = 4096


def instance(
    labels: LabelVector,
    rate: float,
    num_classes: int,
    rng: np.random.Generator,
    *,
    images: Images,
) -> LabelVector:
    """Mislabel each image at its own rate, more often as classes that it resembles.

    The resemblance of an image and a class is a random linear function of the pixels, the same for
    all draws; a wrong label is drawn from the softmax over the other classes. (Xia et al. draw one
    such function for each true class.)
    """
    draw, own, which = (rng.random(len(labels)) for _ in range(3))
    chosen = np.flatnonzero(draw < flip_rates(rate, own))
    given = labels.copy()
    for start in range(0, len(chosen), _BLOCK):
        block = chosen[start : start + _BLOCK]
        cumulative = _wrong_labels(images[block], labels[block], num_classes).cumsum(axis=1)
        given[block] = (which[block, None] * cumulative[:, -1:] >= cumulative).sum(axis=1)
    return given


def flip_rates(rate: float, own: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the images' own rates: normal quantiles, truncated symmetrically to fit [0, 1].

    So their mean is the rate, and each grows with it: the points of a smaller rate are among those
    of a larger one. (Xia et al. truncate at 0 and 1, which shifts the mean.)

    Args:
        rate: The mean rate.
        own: The quantile of each image, in [0, 1).
    """
    from scipy.special import ndtr, ndtri

    least = ndtr(-min(rate, 1 - rate) / _SPREAD)
    rates: npt.NDArray[np.float64] = rate + _SPREAD * ndtri(least + own * (1 - 2 * least))
    return rates


def _wrong_labels(images: Images, labels: LabelVector, num_classes: int) -> npt.NDArray[np.float64]:
    """Return the probabilities of wrong labels, N×K; 0 for the true label."""
    from scipy.special import ndtri, softmax

    inputs = math.prod(images.shape[1:])
    weights = ndtri(np.random.default_rng(_SEED).random((inputs, num_classes)))
    scores = images.reshape(len(images), inputs).astype(np.float64) @ weights
    scores[np.arange(len(labels)), labels] = -np.inf
    shares: npt.NDArray[np.float64] = softmax(scores, axis=1)
    return shares


@hookimpl
def register_noises() -> list[NoiseSpec]:
    """Offer `instance`."""
    return [
        NoiseSpec(
            name="instance",
            summary="each image at its own rate, more often as classes that it resembles",
            citation="simplified from Xia et al. 2020, arXiv 2006.07836",
            corrupt=instance,
            transition=None,
            needs=("images",),
        )
    ]
