"""A minimal decoder, a few points of four classes, and one decoding of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from memgen_bench import DecoderSpec
from memgen_bench.decode.decoding import Activations, Extras, Outcome, Predictions, decode

K = 4
RNG = np.random.default_rng(0)
CENTRES = RNG.standard_normal((K, 6)) * 5
LABELS = np.arange(80, dtype=np.int64) % K


def matrix(labels: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((len(labels), 6))
    return np.asarray(CENTRES[labels] + noise, dtype=np.float32)


TRAIN, VALIDATION, TEST = (matrix(LABELS, seed) for seed in (1, 2, 3))
SAMPLE = np.arange(0, 80, 4)
MODULE = nn.Linear(6, K)


class Nearest:
    """A minimal decoder: no scikit-learn, just fit and predict."""

    def fit(self, X: Any, y: Any, **needs: Any) -> Nearest:
        self.means = np.stack([X[y == k].mean(axis=0) for k in range(K)])
        return self

    def predict(self, X: Any) -> Any:
        return ((X[:, None] - self.means) ** 2).sum(axis=2).argmin(axis=1)


def spec(build: Any = Nearest, **fields: Any) -> DecoderSpec:
    return DecoderSpec(name="d", summary="", build=build, **fields)


def sampled(train: Any) -> Any:
    if isinstance(train, Mapping):
        return {name: matrix[SAMPLE] for name, matrix in train.items()}
    return train[SAMPLE]


def run(
    decoder: DecoderSpec,
    train: Any = TRAIN,
    validation: Any = VALIDATION,
    test: Any = TEST,
    **extras: Any,
) -> Outcome:
    given = Extras(
        validation_labels=LABELS if isinstance(validation, Mapping) else LABELS[: len(validation)],
        transition=np.eye(K),
        module=MODULE,
        seed=7,
        device=torch.device("cpu"),
        **extras,
    )
    sample = TRAIN[SAMPLE] if train is None else sampled(train)
    activations = Activations(train=train, sample=sample, validation=validation, test=test)
    return decode(decoder, activations, LABELS, given, K)


def predicted(outcome: Outcome) -> Predictions:
    assert outcome.status == "ok", outcome.message
    assert outcome.predictions is not None
    return outcome.predictions


def raise_(error: BaseException) -> Any:
    raise error
