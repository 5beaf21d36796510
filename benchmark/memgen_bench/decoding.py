"""Fitting decoders on activations and scoring what they predict."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench.errors import NotApplicable, error_type_of, one_line

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import nn

    from memgen_bench.specs import Decoder, DecoderSpec, Labels

    Matrix = npt.NDArray[np.float32]
    # one layer's activations, or, for scope network, those of all layers by name
    Activations = Matrix | Mapping[str, Matrix]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Activations of the three parts of a split.

    Attributes:
        train: What decoders are fitted on.
        validation: What layers are chosen on.
        test: What decoders are scored on.
        sample: Rows of `train` on which train accuracy is taken.
    """

    train: Activations
    validation: Activations
    test: Activations
    sample: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What a decoder gets beside X and y when its specification says that it needs it.

    Attributes:
        validation_labels: Noisy labels of the validation part.
        transition: P[true, given] of the noise.
        module: The network.
        seed: For decoders that draw random numbers.
        device: Where torch decoders compute.
    """

    validation_labels: Labels
    transition: npt.NDArray[np.float64]
    module: nn.Module
    seed: int
    device: torch.device


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predicted labels of each part; `train` is that of the sample."""

    train: Labels
    validation: Labels
    test: Labels


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one reading: predictions, or the reason why there are none."""

    status: str
    predictions: Predictions | None = None
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    error_type: str | None = None
    message: str | None = None


def decode(
    spec: DecoderSpec, parts: Parts, labels: Labels, extras: Extras, num_classes: int
) -> Outcome:
    """Fit a fresh decoder and let it predict all three parts.

    Whatever the decoder does, the outcome says so: `ok`, `skipped` (it raised `NotApplicable`) or
    `failed`. The first warning that it gives becomes the message of an `ok` outcome.

    Args:
        spec: The decoder.
        parts: Activations.
        labels: The labels to fit on, one per row of `parts.train`.
        extras: What it may ask for.
        num_classes: K; labels are 0..K-1.
    """
    if not all(_finite(part) for part in (parts.train, parts.validation, parts.test)):
        return failure("activations are not finite", "nan")
    try:
        with warnings.catch_warnings(record=True) as caught, _seeded_streams(extras):
            warnings.simplefilter("always")
            return _decode(spec, parts, labels, extras, num_classes, caught)
    except NotApplicable as reason:
        return Outcome(status="skipped", message=one_line(str(reason)))
    except (Exception, SystemExit) as error:
        return failure(one_line(error), error_type_of(error))


@contextmanager
def _seeded_streams(extras: Extras) -> Iterator[None]:
    """Seed the global random streams of NumPy and torch, and put them back afterwards."""
    before = np.random.get_state()
    devices = [extras.device] if extras.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(extras.seed)
        np.random.seed(extras.seed)
        try:
            yield
        finally:
            np.random.set_state(before)


def failure(message: str, error_type: str) -> Outcome:
    """Return the outcome of something that failed."""
    return Outcome(status="failed", error_type=error_type, message=one_line(message))


def _decode(
    spec: DecoderSpec,
    parts: Parts,
    labels: Labels,
    extras: Extras,
    num_classes: int,
    caught: list[warnings.WarningMessage],
) -> Outcome:
    decoder = _seeded(spec.build(), extras.seed)
    train = _arrays(parts.train, spec, extras.device)
    needs = _needs(spec, parts, extras)
    y: Any = labels.copy()
    if spec.arrays == "torch":
        y = torch.from_numpy(y).to(extras.device)
    started = time.perf_counter()
    decoder.fit(train, y, **needs)
    fitted = time.perf_counter()
    test = _predict(decoder, _arrays(parts.test, spec, extras.device), num_classes)
    done = time.perf_counter()
    if test is None:
        return failure("predict() returned NaN labels", "nan")
    sample = _rows(parts.train, parts.sample)
    others = [
        _predict(decoder, _arrays(part, spec, extras.device), num_classes) if _count(part) else None
        for part in (sample, parts.validation)
    ]
    train_predicted, validation = (
        np.empty(0, np.int64) if labels is None else labels for labels in others
    )
    return Outcome(
        status="ok",
        predictions=Predictions(train=train_predicted, validation=validation, test=test),
        fit_seconds=fitted - started,
        predict_seconds=done - fitted,
        message=one_line(str(caught[0].message)) if caught else None,
    )


def _seeded(decoder: Decoder, seed: int) -> Decoder:
    """Give a seed to every `random_state` of a scikit-learn estimator."""
    if hasattr(decoder, "get_params") and hasattr(decoder, "set_params"):
        states = [name for name in decoder.get_params() if name.endswith("random_state")]
        if states:
            decoder.set_params(**dict.fromkeys(states, seed))
    return decoder


def _needs(spec: DecoderSpec, parts: Parts, extras: Extras) -> dict[str, Any]:
    """Return the extras that a specification names, and no other."""
    needs: dict[str, Any] = {}
    if "validation" in spec.needs:
        if not len(extras.validation_labels):
            raise NotApplicable("needs validation points; set validation_fraction above 0")
        validation = _arrays(parts.validation, spec, extras.device)
        needs["validation"] = (validation, extras.validation_labels.copy())
    if "transition" in spec.needs:
        needs["transition"] = extras.transition.copy()
    if "network" in spec.needs:
        needs["network"] = copy.deepcopy(extras.module)
    return needs


def _predict(decoder: Decoder, X: Any, num_classes: int) -> Labels | None:
    """Return checked predictions; None where some are NaN.

    Raises:
        ValueError: Wrong shape or type, or labels outside 0..K-1.
    """
    raw = decoder.predict(X)
    predicted = raw.detach().cpu().numpy() if isinstance(raw, torch.Tensor) else np.asarray(raw)
    count = _count(X)
    if predicted.shape != (count,):
        raise ValueError(f"predict() returned shape {predicted.shape}, not ({count},)")
    if not np.issubdtype(predicted.dtype, np.number):
        raise ValueError(f"predict() returned {predicted.dtype} labels, not integers")
    if not np.isfinite(predicted).all():
        return None
    labels = predicted.astype(np.int64)
    if (labels != predicted).any() or (
        count and not (labels.min() >= 0 and labels.max() < num_classes)
    ):
        raise ValueError(f"predict() returned labels outside 0..{num_classes - 1}")
    return labels


def _arrays(part: Any, spec: DecoderSpec, device: torch.device) -> Any:
    """Hand a decoder its own copy, of the kind that its specification asks for."""
    if isinstance(part, Mapping):
        return {name: _arrays(matrix, spec, device) for name, matrix in part.items()}
    own = part.copy()
    return torch.from_numpy(own).to(device) if spec.arrays == "torch" else own


def _rows(part: Activations, index: npt.NDArray[np.int64]) -> Activations:
    if isinstance(part, Mapping):
        return {name: matrix[index] for name, matrix in part.items()}
    return part[index]


def _count(part: Any) -> int:
    return len(next(iter(part.values()))) if isinstance(part, Mapping) else len(part)


def _finite(part: Activations) -> bool:
    matrices = part.values() if isinstance(part, Mapping) else (part,)
    return all(bool(np.isfinite(matrix).all()) for matrix in matrices)


def scores(
    predictions: Predictions,
    *,
    train_given: Labels,
    train_true: Labels,
    validation_given: Labels,
    test_true: Labels,
    num_classes: int,
) -> dict[str, Any]:
    """Return the accuracy columns of a reading.

    Args:
        predictions: Of each part; the two train label vectors are those of the sample.
        train_given: Labels that the sample carries under the draw.
        train_true: Its true labels.
        validation_given: Noisy validation labels.
        test_true: True test labels.
        num_classes: K.
    """
    correct = predictions.test == test_true
    totals = np.bincount(test_true, minlength=num_classes)
    hits = np.bincount(test_true[correct], minlength=num_classes)
    per_class = [hit / total if total else None for hit, total in zip(hits, totals, strict=True)]
    present = [share for share in per_class if share is not None]
    return {
        "test_accuracy": float(correct.mean()),
        "balanced_accuracy": float(np.mean(present)),
        "class_accuracy": per_class,
        "test_correct": np.packbits(correct).tobytes(),
        "validation_accuracy": _agreement(predictions.validation, validation_given),
        "train_accuracy_given": _agreement(predictions.train, train_given),
        "train_accuracy_true": _agreement(predictions.train, train_true),
    }


def _agreement(predicted: Labels, labels: Labels) -> float | None:
    return float(np.mean(predicted == labels)) if len(labels) else None
