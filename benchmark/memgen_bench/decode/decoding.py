"""Fits of decoders on activations, their predictions, and the scores of these."""

from __future__ import annotations

import copy
import json
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench.compute import as_tensor, finish
from memgen_bench.decode.known_moments import knowing
from memgen_bench.decode.lent_memory import LentMemory
from memgen_bench.errors import NotApplicable, error_type_of, is_fault, one_line, text_of
from memgen_bench.global_state import Changes, is_checked, preserved
from memgen_bench.plugin.parameters import plain

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import nn

    from memgen_bench.arrays import LabelVector, Matrix
    from memgen_bench.decode.known_moments import KnownMoments
    from memgen_bench.decode.moments import Moments
    from memgen_bench.decode.neighbors import Neighbors
    from memgen_bench.plugin.specs import Decoder, DecoderSpec
    from memgen_bench.plugin.training_record import TrainingRecord
    from memgen_bench.plugin.trajectory import Trajectory

    # one layer's activations, or, for scope network, those of all layers by name
    LayerActivations = Matrix | Mapping[str, Matrix]


@dataclass(frozen=True, kw_only=True)
class Activations:
    """Finite activations of the three subsets of a split.

    Attributes:
        train: Training points; None if all decoders are fitted from moments.
        sample: The training points on which train accuracy is measured.
        validation: Validation points, on which layers are chosen.
        test: Test points, on which decoders are scored.
        beside: The features that stand beside a layer's activations; none by default.
    """

    train: LayerActivations | None
    sample: LayerActivations
    validation: LayerActivations
    test: LayerActivations
    beside: str = ""

    @cached_property
    def lent(self) -> LentMemory:
        """The subsets that decoders were lent so far."""
        return LentMemory()


@dataclass(frozen=True, kw_only=True)
class Extras:
    """The values for a decoder's needs, beside X and y.

    Attributes:
        validation_labels: Noisy labels of the validation points.
        transition: P[true, given] of the noise.
        module: The network.
        trajectory: The trajectory of its training, or None.
        held_out: Which training points the network never saw, or None where that is not known.
        seed: The seed of decoders that draw random numbers.
        device: The device of torch decoders.
        moments: Moments of the training points under the labels to fit on, or None.
        neighbors: A search among the training points, or None.
        known: Moments that the decoder gets where it asks for those of its points: of each layer.
    """

    validation_labels: LabelVector
    transition: npt.NDArray[np.float64]
    module: nn.Module
    seed: int
    device: torch.device
    moments: Moments | None = None
    neighbors: Neighbors | None = None
    known: tuple[KnownMoments, ...] = ()
    trajectory: Trajectory | None = None
    held_out: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predicted labels of each subset; `train` is that of the sample."""

    train: LabelVector
    validation: LabelVector
    test: LabelVector


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one reading: predictions, or the reason why there are none.

    `chosen` is what the decoder chose for itself, as JSON. `spoilt` says that it wrote to what it
    was lent: the activations, and what was computed from them, must not be used any more.
    `lasting` names what it changed in the process for good: another process should go on.
    `cross_fitted` says that the decoder itself predicted the validation points, by cross-fitting.
    """

    status: str
    predictions: Predictions | None = None
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    error_type: str | None = None
    message: str | None = None
    chosen: str | None = None
    cross_fitted: bool = False
    spoilt: bool = False
    lasting: tuple[str, ...] = ()


_CHOSEN = 10_000  # characters of what a decoder chose, as JSON
CHANGED = (
    "X belongs to all decoders and must not be written to, nor what is computed from it for all of "
    "them; work on a copy"
)


def decode(
    spec: DecoderSpec,
    activations: Activations,
    labels: LabelVector,
    extras: Extras,
    num_classes: int,
) -> Outcome:
    """Fit a fresh decoder and let it predict all three subsets.

    Errors of the decoder become outcomes: `skipped` if it raised `NotApplicable`, else `failed`.
    The first warning of the decoder becomes the message of an `ok` outcome.

    Args:
        spec: The decoder.
        activations: The points to fit on and to predict.
        labels: The labels to fit on, one per training point.
        extras: The values for its needs.
        num_classes: K; labels are 0..K-1.
    """
    given = _Given(spec, activations.lent, extras)
    changes = Changes()
    outcome = _caught(given, activations, labels, extras, num_classes, changes)
    if given.written_to():
        outcome = Outcome(status="failed", error_type="error", message=CHANGED, spoilt=True)
    if not changes.lasting:
        return outcome
    left = f"it changes or leaves behind: {', '.join(changes.lasting)}; another process goes on"
    return replace(outcome, lasting=tuple(changes.lasting), message=outcome.message or left)


def _caught(
    given: _Given,
    activations: Activations,
    labels: LabelVector,
    extras: Extras,
    num_classes: int,
    changes: Changes,
) -> Outcome:
    """Return the outcome, also where the decoder raises."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            watch = nullcontext() if is_checked(given.spec.build) else preserved(changes)
            with watch, _seeded_streams(extras), knowing(extras.known):
                return _decode(given, activations, labels, extras, num_classes, caught)
    except BaseException as error:
        hint = f" ({CHANGED})" if "read-only" in text_of(error) else ""
        return outcome_of(error, hint)


@contextmanager
def _seeded_streams(extras: Extras) -> Iterator[None]:
    """Seed the global random streams, and restore them afterwards."""
    devices = [extras.device] if extras.device.type == "cuda" else []
    of_numpy, of_python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(extras.seed)
        if devices:  # torch.manual_seed() seeds GPUs that are not there, too, in milliseconds
            torch.cuda.manual_seed(extras.seed)
        np.random.seed(extras.seed)
        random.seed(extras.seed)
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)


def outcome_of(error: BaseException, hint: str = "") -> Outcome:
    """Return the outcome of a plugin's exception: `skipped` for `NotApplicable`, else `failed`.

    Args:
        error: The exception; one that no plugin is to blame for is raised again.
        hint: Added to the message of a failed outcome.
    """
    if isinstance(error, NotApplicable):
        return Outcome(status="skipped", message=one_line(text_of(error)))
    if not is_fault(error):
        raise error
    return failure(one_line(error) + hint, error_type_of(error))


def failure(message: str, error_type: str) -> Outcome:
    """Return a failed outcome."""
    return Outcome(status="failed", error_type=error_type, message=one_line(message))


def _decode(
    given: _Given,
    activations: Activations,
    labels: LabelVector,
    extras: Extras,
    num_classes: int,
    caught: list[warnings.WarningMessage],
) -> Outcome:
    if given.spec.beside != activations.beside:
        raise NotApplicable(f"there are no {given.spec.beside} beside these activations")
    decoder: Any = _seeded(given.spec.build(), extras.seed)
    fit = _fit_of(decoder, given, activations, labels, extras)
    started = time.perf_counter()
    fit()
    finish(extras.device)
    fitted = time.perf_counter()
    shared_fit = _shared_seconds(extras)
    test = _predict(decoder, given.array(activations.test), num_classes)
    finish(extras.device)
    done = time.perf_counter()
    shared_predict = _shared_seconds(extras) - shared_fit
    if test is None:
        return failure("predict() returned NaN labels", "nan")
    own = _cross_fitted(decoder, given, activations, num_classes)
    train = _predicted(decoder, given, activations.sample, num_classes)
    if (validation := own) is None:
        validation = _predicted(decoder, given, activations.validation, num_classes)
    return Outcome(
        status="ok",
        predictions=Predictions(train=train, validation=validation, test=test),
        fit_seconds=fitted - started + shared_fit,
        predict_seconds=done - fitted + shared_predict,
        message=one_line(_said(caught[0])) if caught else None,
        chosen=_chosen(decoder),
        cross_fitted=own is not None,
    )


def _said(warning: warnings.WarningMessage) -> str:
    message = warning.message
    return message if isinstance(message, str) else text_of(message)


def _shared_seconds(extras: Extras) -> float:
    """Return the seconds of shared computations that this decoder has used so far."""
    every = (extras.moments, extras.neighbors, *extras.known)
    return sum(shared.seconds for shared in every if shared)


def _chosen(decoder: Any) -> str | None:
    """Return the parameters that a decoder chose for itself, as JSON.

    Raises:
        ValueError: It holds numbers that are not finite, or is very long.
    """
    chosen = plain(getattr(decoder, "chosen_", None))
    if not chosen:
        return None
    try:
        text = json.dumps(chosen, sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise ValueError(
            f"chosen_ holds what is no finite number ({error}); store what was chosen"
        ) from error
    if len(text) > _CHOSEN:
        raise ValueError(f"chosen_ has {len(text)} characters; store a few plain values")
    return text


@preserved()
def recall(
    spec: DecoderSpec, record: TrainingRecord, test_places: npt.NDArray[np.int64]
) -> Outcome:
    """Let a decoder of scope `training` choose an epoch, and return its stored predictions.

    There are no predictions for training and validation points, as these are not stored.

    Args:
        spec: The decoder; it sees fields that depend on test labels only if it needs `test`.
        record: The record of the network's training.
        test_places: Positions of the test subset among the stored predictions.
    """
    try:
        built: Any = spec.build()
        told = copy.deepcopy(record if "test" in spec.needs else record.without_test())
        epoch, predicted = built.recall(told)
    except BaseException as error:
        return outcome_of(error)
    none = np.empty(0, np.int64)
    test = np.asarray(predicted, np.int64)[test_places]
    return Outcome(
        status="ok",
        predictions=Predictions(train=none, validation=none, test=test),
        chosen=json.dumps({"epoch": epoch}),
    )


def _fit_of(
    decoder: Any, given: _Given, activations: Activations, labels: LabelVector, extras: Extras
) -> Callable[[], Any]:
    """Return the call that fits a decoder, its arguments ready."""
    needs = _needs(given, activations, extras)
    if extras.moments is not None:
        return partial(decoder.fit_moments, extras.moments, **needs)
    return partial(decoder.fit, given.array(activations.train), given.labels(labels), **needs)


class _Given:
    """The inputs of a decoder: read-only arrays, or tensors; both are watched for writes.

    Decoders that ship are not: the contract that they are tested for says that they do not write.
    """

    def __init__(self, spec: DecoderSpec, lent: LentMemory, extras: Extras) -> None:
        self.spec, self._device = spec, extras.device
        self._knowing = [each for each in (extras.neighbors, *extras.known) if each]
        shared = (extras.moments, *self._knowing)
        self._activations = lent
        self._watched = [lent, *(each.lent for each in shared if each)]
        self._tensors: list[torch.Tensor] = []
        if is_checked(spec.build):
            self._watched = []
        for memory in self._watched:
            memory.watch()

    def array(self, subset: Any) -> Any:
        """Return a subset's activations in the form that the specification asks for."""
        if isinstance(subset, Mapping):
            return {name: self.array(matrix) for name, matrix in subset.items()}
        self._activations.lend(subset)
        if self.spec.arrays == "torch":
            tensor = as_tensor(subset).to(self._device)
            self._tensors.append(tensor)
            for each in self._knowing:
                each.know(tensor, subset)
            return tensor
        view = subset.view()
        view.flags.writeable = False
        return view

    def labels(self, labels: LabelVector) -> Any:
        """Return a copy of labels as the array type that the specification asks for."""
        own = labels.copy()
        return torch.from_numpy(own).to(self._device) if self.spec.arrays == "torch" else own

    def written_to(self) -> bool:
        """Whether the decoder wrote to lent memory; torch counts the changes of tensors."""
        counted = any(tensor._version for tensor in self._tensors)
        return any([counted, *(memory.changed() for memory in self._watched)])


def _seeded(decoder: Any, seed: int) -> Any:
    """Give a seed to every `random_state` of a scikit-learn estimator."""
    if hasattr(decoder, "get_params") and hasattr(decoder, "set_params"):
        states = [name for name in decoder.get_params() if name.endswith("random_state")]
        if states:
            decoder.set_params(**dict.fromkeys(states, seed))
    return decoder


def _needs(given: _Given, activations: Activations, extras: Extras) -> dict[str, Any]:
    """Return the extras that a specification names, and no other."""
    needs: dict[str, Any] = {}
    wanted = given.spec.needs
    if "validation" in wanted:
        if not len(extras.validation_labels):
            raise NotApplicable("needs validation points; set validation_fraction above 0")
        needs["validation"] = (given.array(activations.validation), extras.validation_labels.copy())
    if "transition" in wanted:
        needs["transition"] = extras.transition.copy()
    if "network" in wanted:
        needs["network"] = copy.deepcopy(extras.module)
    if "trajectory" in wanted:
        if extras.trajectory is None:
            raise NotApplicable("needs the trajectory of the training, which is not here")
        needs["trajectory"] = extras.trajectory.copy()
    if "held_out" in wanted:
        if extras.held_out is None or extras.held_out.all() or not extras.held_out.any():
            raise NotApplicable("needs training and held-out points: a decoder@both on a network")
        needs["held_out"] = extras.held_out.copy()
    if "neighbors" in wanted:
        needs["neighbors"] = extras.neighbors
    return needs


def _predicted(decoder: Decoder, given: _Given, subset: Any, num_classes: int) -> LabelVector:
    """Return the predictions of a subset: none if it has no points, or if some are NaN."""
    found = _predict(decoder, given.array(subset), num_classes) if _count(subset) else None
    return np.empty(0, np.int64) if found is None else found


def _cross_fitted(
    decoder: Any, given: _Given, activations: Activations, num_classes: int
) -> LabelVector | None:
    """Return the predictions of validation points that a decoder made itself, or None.

    Raises:
        ValueError: Wrong shape or type, NaN, or labels outside 0..K-1.
    """
    found = getattr(decoder, "validation_predictions_", None)
    if found is None or "validation" not in given.spec.needs:
        return None
    source = "validation_predictions_ has"
    labels = _checked(found, _count(activations.validation), num_classes, source)
    if labels is None:
        raise ValueError(f"{source} NaN labels")
    return labels


def _predict(decoder: Decoder, X: Any, num_classes: int) -> LabelVector | None:
    """Return checked predictions, or None if some are NaN.

    Raises:
        ValueError: Wrong shape or type, or labels outside 0..K-1.
    """
    return _checked(decoder.predict(X), _count(X), num_classes, "predict() returned")


def _checked(raw: Any, count: int, num_classes: int, source: str) -> LabelVector | None:
    """Return labels of `count` points as an array of integers, or None if some are NaN."""
    predicted = raw.detach().cpu().numpy() if isinstance(raw, torch.Tensor) else np.asarray(raw)
    if predicted.shape != (count,):
        raise ValueError(f"{source} shape {predicted.shape}, not ({count},)")
    if not np.issubdtype(predicted.dtype, np.number):
        raise ValueError(f"{source} {predicted.dtype} labels, not integers")
    if not np.isfinite(predicted).all():
        return None
    labels = predicted.astype(np.int64)
    if (labels != predicted).any() or (
        count and not (labels.min() >= 0 and labels.max() < num_classes)
    ):
        raise ValueError(f"{source} labels outside 0..{num_classes - 1}")
    return labels


def _count(subset: Any) -> int:
    return len(next(iter(subset.values()))) if isinstance(subset, Mapping) else len(subset)


def scores(
    predictions: Predictions,
    *,
    train_given: LabelVector,
    train_true: LabelVector,
    validation_given: LabelVector,
    test_true: LabelVector,
    num_classes: int,
) -> dict[str, Any]:
    """Return the accuracy columns of a reading.

    Args:
        predictions: Of each subset; the two train label vectors are those of the sample.
        train_given: LabelVector that the sample carries under the draw.
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


def _agreement(predicted: LabelVector, labels: LabelVector) -> float | None:
    return float(np.mean(predicted == labels)) if len(predicted) else None
