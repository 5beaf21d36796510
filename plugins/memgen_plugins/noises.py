"""Label noises: uniform (the paper's "shuffling"), flip, permute and pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import NoiseSpec, hookimpl

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_bench.arrays import LabelVector, Transition


def _chosen(labels: LabelVector, rate: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Choose each point with probability `rate`, by the first numbers of a stream: rates nest."""
    return np.asarray(rng.random(len(labels)) < rate)


def uniform(
    labels: LabelVector, rate: float, num_classes: int, rng: np.random.Generator
) -> LabelVector:
    """Redraw chosen labels over all K classes, the true one included."""
    chosen = _chosen(labels, rate, rng)
    redrawn = (rng.random(len(labels)) * num_classes).astype(np.int64)
    return np.where(chosen, redrawn, labels)


def flip(
    labels: LabelVector, rate: float, num_classes: int, rng: np.random.Generator
) -> LabelVector:
    """Redraw chosen labels over the K - 1 other classes."""
    chosen = _chosen(labels, rate, rng)
    offset = 1 + (rng.random(len(labels)) * (num_classes - 1)).astype(np.int64)
    return np.where(chosen, (labels + offset) % num_classes, labels)


def permute(
    labels: LabelVector, rate: float, num_classes: int, rng: np.random.Generator
) -> LabelVector:
    """Permute the labels among the chosen points; class counts are kept."""
    places = np.flatnonzero(_chosen(labels, rate, rng))
    order = np.argsort(rng.random(len(labels))[places], kind="stable")
    permuted = labels.copy()
    permuted[places] = labels[places[order]]
    return permuted


def pair(
    labels: LabelVector, rate: float, num_classes: int, rng: np.random.Generator
) -> LabelVector:
    """Turn chosen labels k into k + 1 (the last class into the first)."""
    return np.where(_chosen(labels, rate, rng), (labels + 1) % num_classes, labels)


def uniform_transition(rate: float, num_classes: int) -> Transition:
    """P[true, given] of `uniform`, and of `permute` for equal class counts."""
    return (1 - rate) * np.eye(num_classes) + rate / num_classes


def flip_transition(rate: float, num_classes: int) -> Transition:
    """P[true, given] of `flip`."""
    off = rate / (num_classes - 1)
    return (1 - rate - off) * np.eye(num_classes) + off


def pair_transition(rate: float, num_classes: int) -> Transition:
    """P[true, given] of `pair`."""
    eye = np.eye(num_classes)
    return (1 - rate) * eye + rate * np.roll(eye, 1, axis=1)


@hookimpl
def register_noises() -> list[NoiseSpec]:
    """Offer the four noises."""
    return [
        NoiseSpec(
            name="uniform",
            summary="redraw over all classes, the true one included (the paper's shuffling)",
            citation="Zhang et al. 2017, arXiv 1611.03530; Ketha & Ramaswamy, arXiv 2501.14687",
            corrupt=uniform,
            transition=uniform_transition,
        ),
        NoiseSpec(
            name="flip",
            summary="redraw over the other classes, the true one excluded",
            corrupt=flip,
            transition=flip_transition,
        ),
        NoiseSpec(
            name="permute",
            summary="permute labels among the chosen points; class counts are kept",
            corrupt=permute,
            transition=uniform_transition,
        ),
        NoiseSpec(
            name="pair",
            summary="class k becomes class k + 1",
            citation="Patrini et al. 2017, arXiv 1609.03683",
            corrupt=pair,
            transition=pair_transition,
        ),
    ]
