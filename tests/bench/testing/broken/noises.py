"""Noises that break the contract: each fails the check whose name it bears.

A summary holds words that the check's message must contain.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from memgen_bench import NoiseSpec, hookimpl


def shift(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    """Turn class k into k + 1, which breaks nothing."""
    return np.where(rng.random(len(labels)) < rate, (labels + 1) % num_classes, labels)


def shift_transition(rate: float, num_classes: int) -> Any:
    eye = np.eye(num_classes)
    return (1 - rate) * eye + rate * np.roll(eye, 1, axis=1)


def beyond(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    return np.where(rng.random(len(labels)) < rate, labels + 1, labels)


def in_place(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    labels[:] = shift(labels, rate, num_classes, rng)
    return labels


def rude(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    np.set_printoptions(precision=2)
    return shift(labels, rate, num_classes, rng)


def always_some(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    return shift(labels, max(rate, 0.01), num_classes, rng)


def global_stream(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    return shift(labels, rate, num_classes, np.random)


def one_draw(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    return shift(labels, rate, num_classes, np.random.default_rng(0))


def unnested(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    rng.random(int(10 * rate))
    return shift(labels, rate, num_classes, rng)


def too_much(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    return shift(labels, rate**0.5, num_classes, rng)


def backwards(labels: Any, rate: float, num_classes: int, rng: Any) -> Any:
    return np.where(rng.random(len(labels)) < rate, (labels - 1) % num_classes, labels)


def too_much_transition(rate: float, num_classes: int) -> Any:
    return shift_transition(rate**0.5, num_classes)


def never_clean(rate: float, num_classes: int) -> Any:
    return shift_transition(rate or 0.1, num_classes)


def _spec(name: str, words: str, corrupt: Any = shift, transition: Any = None) -> NoiseSpec:
    return NoiseSpec(
        name=name, summary=words, corrupt=corrupt, transition=transition or shift_transition
    )


@hookimpl
def register_noises() -> list[NoiseSpec]:
    return [
        _spec("described", ""),
        _spec("returns-labels", "in 0..1; mend corrupt()", beyond),
        _spec("leaves-labels-alone", "work on a copy", in_place),
        _spec("leaves-the-process-alone", "numpy.set_printoptions", rude),
        _spec("rate-0-changes-nothing", "none may", always_some),
        _spec("repeats-itself", "draw from `rng` and from nothing else", global_stream),
        _spec("draws-anew", "draw from `rng`", one_draw),
        _spec("rates-nest", "rng.random(len(labels)) < rate", unnested),
        _spec("keeps-to-the-rate", "asked for", too_much, too_much_transition),
        _spec("states-its-transition", "not the unit matrix", transition=never_clean),
        _spec("keeps-to-its-transition", "mend either", backwards),
    ]
