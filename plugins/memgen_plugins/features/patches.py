"""Features from a dictionary of image patches that is learned without labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from memgen_bench import Family, FeaturesSpec, NotApplicable, hookimpl

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_bench import Task
    from memgen_bench.arrays import Images, Matrix

_PREFIX = "patches/"
_CITATION = "Coates, Ng & Lee 2011 (AISTATS): single-layer networks in unsupervised learning"
_SIDE = 6  # pixels; half of the image where it is smaller than twice that
_PATCHES = 50_000  # at most so many are drawn to learn from
_CONTRAST, _WHITENING = 1e-2, 0.1  # added to variances before their roots, as in the source
_BATCH = 250  # images at once


@dataclass(frozen=True)
class Window:
    """The size of patches, and of the grid of cells over which activations are summed."""

    height: int
    width: int
    rows: int
    columns: int


def window(height: int, width: int) -> Window:
    """Return the window for images: quadrants, or quarters of a signal of height 1."""
    rows, columns = (1, 4) if height == 1 else (2, 2)
    tall, wide = (max(1, min(_SIDE, size // 2)) for size in (height, width))
    return Window(height=tall, width=wide, rows=rows, columns=columns)


class Patches:
    """Distances of all patches of an image to a dictionary, summed over its quadrants.

    Patches are normalised to mean 0 and equal contrast, and whitened; k-means finds the
    dictionary. The activation of a patch by a word is max(0, mean distance to all words - distance
    to this word), the triangle activation. Features are standardised.

    Args:
        words: Number of words of the dictionary, K; an image has 4·K features.

    References:
        Coates, Ng & Lee 2011 (AISTATS), with 6×6 patches.
    """

    def __init__(self, words: int = 400) -> None:
        self.words = words

    def fit(self, images: Images, seed: int) -> Self:
        """Learn the dictionary from images, N×C×H×W; labels are not seen."""
        from sklearn.cluster import MiniBatchKMeans

        rng = np.random.default_rng(seed)
        self._window = window(*images.shape[2:])
        drawn = _normalised(_drawn(images, self._window, rng))
        self._mean = drawn.mean(axis=0)
        self._whitening = _whitening(drawn - self._mean)
        whitened = (drawn - self._mean) @ self._whitening
        kmeans = MiniBatchKMeans(
            min(self.words, len(whitened)),
            n_init=1,
            batch_size=4096,
            random_state=int(rng.integers(2**31)),
        )
        centres = kmeans.fit(whitened).cluster_centers_
        # Where there are fewer distinct patches than words, some words are never the nearest.
        missing = self.words - len(centres)
        self._centres = np.pad(centres, ((0, missing), (0, 0)))
        summed = self._summed(images)
        self._offset = summed.mean(axis=0)
        spread = summed.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1)
        return self

    def transform(self, images: Images) -> Matrix:
        """Return features of N images, N × 4K."""
        return np.asarray((self._summed(images) - self._offset) / self._scale, np.float32)

    def _summed(self, images: Images) -> Any:
        found = np.empty((len(images), 4 * self.words), np.float32)
        for start in range(0, len(images), _BATCH):
            batch = np.asarray(images[start : start + _BATCH], np.float32)
            found[start : start + len(batch)] = self._of_batch(batch)
        return found

    def _of_batch(self, images: Images) -> Any:
        patches = _all_patches(images, self._window)
        count, rows, columns, size = patches.shape
        white = (_normalised(patches.reshape(-1, size)) - self._mean) @ self._whitening
        squares = (white**2).sum(axis=1)[:, None] + (self._centres**2).sum(axis=1)
        distances = np.sqrt(np.maximum(squares - 2 * white @ self._centres.T, 0))
        active = np.maximum(distances.mean(axis=1, keepdims=True) - distances, 0)
        maps = active.reshape(count, rows, columns, self.words)
        cells = [
            cell.sum(axis=(1, 2))
            for strip in np.array_split(maps, self._window.rows, axis=1)
            for cell in np.array_split(strip, self._window.columns, axis=2)
        ]
        return np.concatenate(cells, axis=1)


def _all_patches(images: Images, size: Window) -> Any:
    """Return all patches of images, N × rows × columns × C·h·w."""
    views = np.lib.stride_tricks.sliding_window_view(images, (size.height, size.width), axis=(2, 3))
    found = views.transpose(0, 2, 3, 1, 4, 5)
    return np.ascontiguousarray(found).reshape(*found.shape[:3], -1)


def _drawn(images: Images, size: Window, rng: np.random.Generator) -> Any:
    """Draw patches at random, at most so many of each image that there are `_PATCHES` in all."""
    count, _, height, width = images.shape
    rows = rng.integers(height - size.height + 1, size=_PATCHES)
    columns = rng.integers(width - size.width + 1, size=_PATCHES)
    chosen = np.sort(rng.integers(count, size=_PATCHES))
    return np.stack(
        [
            np.asarray(images[i, :, r : r + size.height, c : c + size.width]).ravel()
            for i, r, c in zip(chosen, rows, columns, strict=True)
        ]
    ).astype(np.float32)


def _normalised(patches: Any) -> Any:
    centred = patches - patches.mean(axis=1, keepdims=True)
    return centred / np.sqrt(centred.var(axis=1, keepdims=True) + _CONTRAST)


def _whitening(centred: Any) -> npt.NDArray[np.float32]:
    """Return the matrix of zero-phase whitening, regularised."""
    values, vectors = np.linalg.eigh(np.cov(centred, rowvar=False, ddof=0).astype(np.float64))
    scaled = vectors / np.sqrt(np.maximum(values, 0) + _WHITENING)
    return np.asarray(scaled @ vectors.T, np.float32)


def _shape(words: int, task: Task) -> tuple[int, ...]:
    if task.height * task.width < 4:
        raise NotApplicable(f"images of {task.height}×{task.width} have no four parts")
    return (4 * words,)


def _resolve(name: str) -> FeaturesSpec:
    text = name.removeprefix(_PREFIX)
    if not text.isdecimal() or not 2 <= int(text) <= 100_000 or text != str(int(text)):
        raise KeyError(name)
    words = int(text)
    return FeaturesSpec(
        name=name,
        summary=f"distances to {words} whitened patches, summed over quadrants",
        citation=_CITATION,
        build=partial(Patches, words),
        shape=partial(_shape, words),
    )


@hookimpl
def register_features() -> list[Family[FeaturesSpec]]:
    """Offer dictionaries of patches of any size."""
    return [
        Family(
            prefix=_PREFIX,
            summary="patches/K: distances to a dictionary of K whitened patches, learned "
            "without labels",
            resolve=_resolve,
            featured=("patches/400",),
        )
    ]
