"""The checks of the contract for decoders, made with the runner's own reader on planted points."""

from __future__ import annotations

import copy
import json
import math
import pickle
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench.decode.decoding import CHANGED, recall
from memgen_bench.errors import one_line
from memgen_bench.plugin.parameters import parameters
from memgen_bench.plugin.training_record import TrainingRecord
from memgen_bench.testing.check import (
    Broken,
    Inapplicable,
    check,
    demand,
    described,
    leaves_the_process_alone,
)
from memgen_bench.testing.memory import Peak
from memgen_bench.testing.planted import (
    Case,
    DecoderBench,
    Through,
    predictions_of,
    without_meaning,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from memgen_bench.arrays import LabelVector

EQUAL = 0.99  # share of predictions that must be equal
TIES = 0.1  # share of predictions that a tie may decide: those go to the lowest number
POINT = 0.01  # of accuracy
DRAWS = 40  # of null labels
REPEATS = 20  # of a stochastic decoder
FAR = 4.0  # standard errors: of 10,000 decoders without a fault about two are as far from chance
SECONDS, MEBIBYTES = 20.0, 1024  # for 2,000 points of 256 dimensions
_NO_EFFECT = ("warm_start",)  # on a fresh estimator


@check()
def recalls_a_stored_epoch(decoder: DecoderBench) -> None:
    """Scope `training`: an epoch whose predictions were stored, and those; else `NotApplicable`."""
    if decoder.spec.scope != "training":
        raise Inapplicable("it is fitted")
    nothing = recall(decoder.spec, TrainingRecord(), np.arange(0))
    demand(
        nothing.status == "skipped",
        "raise NotApplicable(reason) where no predictions were stored",
    )
    stored = {2: [0, 1], 3: [1, 0], 4: [1, 1]}
    record = TrainingRecord(
        loss=[4.0, 3.0, 2.0, 1.0],
        best_validation_epoch=2,
        best_validation_predictions=stored[2],
        best_test_epoch=3,
        best_test_predictions=stored[3],
        averaged_predictions=stored[4],
    )
    found = recall(decoder.spec, copy.deepcopy(record), np.arange(2))
    if found.predictions is None:
        raise Broken(f"{found.message}; let recall() return an epoch and its predictions")
    epoch = json.loads(found.chosen or "{}").get("epoch")
    demand(
        stored.get(epoch) == found.predictions.test.tolist(),
        f"what it returns is not what was stored of epoch {epoch}; return that",
    )


@check(essential=True)
def leaves_inputs_alone(decoder: DecoderBench) -> None:
    """Activations and moments are not written to, since all decoders share them."""
    if decoder.spec.scope == "training":
        raise Inapplicable("it is fitted on nothing")

    def build() -> Any:  # by this module, so that decoders that ship are watched, too
        return decoder.spec.build()

    demand(CHANGED not in (decoder.outcome(decoder.planted(), build=build).message or ""), CHANGED)


@check(essential=True)
def decodes(decoder: DecoderBench) -> None:
    """It fits planted points under noisy labels and predicts one label in 0..K-1 for each."""
    try:
        decoder.predict(decoder.planted())
    except Inapplicable as reason:
        raise Broken(f"{reason}; it must be applicable to 300 points of 5 classes") from reason


@check(essential=True)
def repeats_itself(decoder: DecoderBench) -> None:
    """The same seed gives the same predictions, or no number could be made again."""
    first, second = (decoder.predict(decoder.planted()) for _ in range(2))
    demand(
        bool((first == second).all()),
        f"two fits with one seed differ in {_share(first != second)} of the predictions; draw "
        "random numbers from random_state, or from the global streams of NumPy and torch, "
        "which are seeded",
    )


@check(essential=True)
def starts_anew(decoder: DecoderBench) -> None:
    """What one estimator has learnt the next does not know, or the order of readings counts."""
    case, other = decoder.planted(), _relabelled(decoder.planted(seed=1))
    before = decoder.predict(case)
    decoder.predict(other)
    after = decoder.predict(case)
    demand(
        bool((before == after).all()),
        f"a fit on other points in between changes {_share(before != after)} of the predictions; "
        "build() must return a fresh estimator, and nothing learnt may be kept on its "
        "class or module",
    )


@check()
def minds_no_order(decoder: DecoderBench) -> None:
    """The order of the training points does not matter, or is declared to: `stochastic`."""
    case = decoder.planted()
    if decoder.spec.stochastic:
        _demand_equal_on_average(decoder)
        return
    order = np.random.default_rng(0).permutation(len(case.train.true))
    same = decoder.predict(case) == decoder.predict(replace(case, train=case.train[order]))
    demand(
        float(same.mean()) >= EQUAL,
        f"another order of the training points changes {_share(~same)} of the predictions; do not "
        "use the order, or declare the decoder stochastic=True in its specification",
    )


def _demand_equal_on_average(decoder: DecoderBench) -> None:
    differences = []
    for seed in range(REPEATS):
        case = decoder.planted(seed=seed)
        order = np.argsort(case.train.given, kind="stable")  # class by class, the hardest
        accuracies = [
            np.mean(decoder.predict(each, seed=seed) == case.test.true)
            for each in (case, replace(case, train=case.train[order]))
        ]
        differences.append(accuracies[1] - accuracies[0])
    mean, error = _mean_and_error(np.array(differences))
    demand(
        abs(mean) <= POINT + FAR * error,
        f"training points in the order of their classes change the accuracy by "
        f"{100 * mean:+.1f} points on "
        f"average over {REPEATS} draws; do not use the order",
    )


@check()
def minds_no_class_names(decoder: DecoderBench) -> None:
    """Classes under other numbers are predicted under those numbers: labels are names."""
    if "network" in decoder.spec.needs:
        raise Inapplicable("it needs the network, whose outputs are numbered")
    case = decoder.planted()
    names = _names(case.num_classes)
    if decoder.spec.stochastic:
        accuracy = [
            float(np.mean(decoder.predict(each) == each.test.true))
            for each in (case, _relabelled(case))
        ]
        off = abs(accuracy[0] - accuracy[1])
        spread = math.sqrt(2 * 0.25 / len(case.test.true))
        demand(off <= POINT + FAR * spread, f"accuracy changes by {100 * off:.1f} points; {_NAMES}")
        return
    same = names[decoder.predict(case)] == decoder.predict(_relabelled(case))
    demand(
        float(same.mean()) >= 1 - TIES,
        f"classes under other numbers change {_share(~same)} of the predictions; {_NAMES}",
    )


_NAMES = "treat labels as names, not as numbers, and all classes alike"


@check()
def parameters_have_an_effect(decoder: DecoderBench) -> None:
    """Each number among its parameters changes predictions somewhere: results are told by them."""
    if not hasattr(decoder.spec.build(), "get_params"):
        raise Inapplicable("it has no get_params()")
    variations = {
        name: list(_variations(value))
        for name, value in parameters(decoder.spec.build()).items()
        if _last(name) not in _NO_EFFECT
    }
    if not any(variations.values()):
        raise Inapplicable("none of its parameters is a number or a truth value")
    case = decoder.planted()
    before = decoder.predict(case)
    chosen = json.loads(decoder.outcome(case).chosen or "{}")  # by itself, whatever was set
    # What stands beside a chosen parameter may matter only for another choice.
    choosing = {_owner(name) for name in variations if _last(name) in chosen}
    idle = [
        name
        for name, values in variations.items()
        if values
        and _owner(name) not in choosing
        and not any(_differs(decoder, case, before, name, value) for value in values)
    ]
    demand(not idle, f"{' and '.join(idle)} change no prediction; use them in fit, or remove them")


def _last(name: str) -> str:
    """Return a parameter's name without those of the estimators around it."""
    return name.rpartition("__")[2]


def _owner(name: str) -> str:
    """Return the place of the estimator that a parameter belongs to."""
    return name.rpartition("__")[0]


def _variations(value: Any) -> Iterator[Any]:
    """Yield other values of a parameter, near its value and far from it."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, max(1, value // 10), 10 * value + 10)
    elif isinstance(value, float):
        yield from (value * factor for factor in (0.5, 2.0, 1e-2, 1e2, 1e-4, 1e4))
        yield 1.0


def _differs(decoder: DecoderBench, case: Case, before: LabelVector, name: str, value: Any) -> bool:
    """Tell whether a value of a parameter changes predictions, or is refused."""

    def build() -> Any:
        estimator: Any = decoder.spec.build()
        return estimator.set_params(**{name: value})

    outcome = decoder.outcome(case, build=build)
    return outcome.predictions is None or bool((outcome.predictions.test != before).any())


@check()
def can_be_pickled(decoder: DecoderBench) -> None:
    """A fitted decoder survives pickling: it can be kept, and sent to another process."""
    fitted: Any = decoder.spec.build()
    case = decoder.planted()
    before = decoder.predict(case, build=lambda: fitted)
    try:
        again = pickle.loads(pickle.dumps(fitted))
    except Exception as error:
        raise Broken(
            f"a fitted estimator cannot be pickled ({one_line(error)}); keep no open file, lambda "
            "or local function on it"
        ) from error
    after = decoder.predict(case, build=lambda: _Fitted(again))
    demand(
        bool((before == after).all()),
        f"pickling changes {_share(before != after)} of the predictions; keep what predict() needs "
        "on the estimator itself",
    )


class _Fitted:
    """A decoder that was fitted before, and is not fitted again."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def fit(self, X: Any, y: Any, **needs: Any) -> None:
        """Do nothing."""

    def predict(self, X: Any) -> Any:
        """Return the predictions of the inner decoder."""
        return self.inner.predict(X)


@check()
def takes_float64(decoder: DecoderBench) -> None:
    """Points in double precision give the same model as those in single precision."""
    case = decoder.planted()
    single, double = (
        decoder.predict(case, build=lambda to=to: Through(decoder.spec.build(), to))  # type: ignore[misc]
        for to in (_as_it_is, _in_double)
    )
    demand(
        float(np.mean(single == double)) >= EQUAL or decoder.spec.stochastic,
        f"points as float64 change {_share(single != double)} of the predictions; compute in one "
        "precision, whatever comes in",
    )


def _as_it_is(X: Any) -> Any:
    return X


def _in_double(X: Any) -> Any:
    return X.double() if isinstance(X, torch.Tensor) else X.astype(np.float64)


@check()
def moments_give_the_same_model(decoder: DecoderBench) -> None:
    """`fit_moments` learns what `fit` learns: either may be called."""
    if not hasattr(decoder.spec.build(), "fit_moments"):
        raise Inapplicable("it has no fit_moments()")
    case = decoder.planted()
    points = decoder.predict(case, build=lambda: Through(decoder.spec.build(), _as_it_is))
    same = points == decoder.predict(case)
    demand(
        float(same.mean()) >= EQUAL,
        f"fit() and fit_moments() differ in {_share(~same)} of the predictions; let fit() call "
        "fit_moments(moments_of(X, y))",
    )


@check()
def bears_an_empty_class(decoder: DecoderBench) -> None:
    """A class without training points is never predicted, or the decoder is `NotApplicable`."""
    case = decoder.planted()
    case = replace(case, train=case.train[case.train.given != 2])
    predicted = _or_not_applicable(decoder, case, "where a class has no training points")
    demand(
        predicted is None or 2 not in predicted,
        "it predicts a class that has no training point; use the labels that are in y, not 0..K-1",
    )


@check()
def bears_few_points(decoder: DecoderBench) -> None:
    """Fewer points than dimensions are decoded, or the decoder is `NotApplicable`."""
    _or_not_applicable(
        decoder, decoder.planted(count=40, dim=64), "with 40 points of 64 dimensions"
    )


def _or_not_applicable(decoder: DecoderBench, case: Case, where: str) -> LabelVector | None:
    """Return predictions, or None if the decoder is `NotApplicable` with a reason."""
    outcome = decoder.outcome(case)
    if outcome.status == "skipped":
        demand(
            len(outcome.message or "") >= 10,
            f'NotApplicable("{outcome.message}") {where} does not say why; write what is missing',
        )
        return None
    if outcome.predictions is None:
        raise Broken(
            f"it fails {where}: {outcome.message}; mend it, or raise NotApplicable(reason)"
        )
    return outcome.predictions.test


@check()
def keeps_to_the_budget(decoder: DecoderBench) -> None:
    """2,000 points of 256 dimensions take at most 20 s of computing and 1 GiB of memory."""
    if decoder.spec.slow:
        raise Inapplicable("it is declared slow")
    case = decoder.planted(count=2000, dim=256, num_classes=10)
    started = time.process_time()
    with Peak() as peak:
        decoder.predict(case)
    seconds = time.process_time() - started
    demand(
        seconds <= SECONDS,
        f"2,000 points of 256 dimensions take {seconds:.0f} s of computing, more than "
        f"{SECONDS:.0f}; make it faster, or declare it slow=True",
    )
    demand(
        peak.mebibytes <= MEBIBYTES,
        f"2,000 points of 256 dimensions take {peak.mebibytes:.0f} MiB, more than {MEBIBYTES}; "
        "compute in blocks (memgen_bench.compute.blocks)",
    )


@check()
def beats_chance(decoder: DecoderBench) -> None:
    """On planted points it is better than chance, beyond 5 standard errors."""
    case = decoder.planted()
    accuracy = float(np.mean(decoder.predict(case) == case.test.true))
    chance = 1 / case.num_classes
    error = math.sqrt(chance * (1 - chance) / len(case.test.true))
    demand(
        accuracy > chance + 5 * error,
        f"accuracy on well separated classes is {100 * accuracy:.1f} %, and chance "
        f"{100 * chance:.0f} %; are labels and rows in step, and are classes_ mapped back?",
    )


@check()
def finds_nothing_in_nothing(decoder: DecoderBench) -> None:
    """Where labels have nothing to do with points it is at chance, on average over label draws.

    So are the predictions of validation points of a decoder that cross-fits.
    """
    draws = DRAWS if not decoder.spec.slow else DRAWS // 4
    test, cross_fitted = [], []
    for seed in range(draws):
        case = without_meaning(decoder.planted(seed=seed), seed)
        outcome = decoder.outcome(case, seed=seed)
        found = predictions_of(outcome)
        test.append(np.mean(found.test == case.test.true))
        if outcome.cross_fitted:
            cross_fitted.append(np.mean(found.validation == case.validation.given))
    chance = 1 / case.num_classes
    _demand_chance(test, chance, "accuracy on labels without meaning", "it sees labels that it")
    if cross_fitted:
        where = "accuracy of validation_predictions_ on labels without meaning"
        _demand_chance(cross_fitted, chance, where, "a fit sees the very labels that it")


def _demand_chance(accuracies: list[Any], chance: float, where: str, fault: str) -> None:
    """Demand that the mean of some accuracies is that of guessing."""
    mean, error = _mean_and_error(np.array(accuracies))
    demand(
        abs(mean - chance) <= FAR * error + 1e-9,
        f"{where} is {100 * mean:.1f} % on average over {len(accuracies)} draws, "
        f"chance {100 * chance:.0f} % ± {100 * FAR * error:.1f}: {fault} must not see",
    )


@check()
def is_blind(decoder: DecoderBench) -> None:
    """True, test and (unless it needs them) validation labels may be permuted: nothing changes."""
    found = [_everything(decoder, _hidden(decoder, draw)) for draw in range(3)]
    changed = max(float(np.mean(found[0] != other)) for other in found[1:])
    demand(
        changed == 0,
        f"permuting labels that it must not see changes {100 * changed:.1f} % of its predictions; "
        "use X, y and what its needs name, and nothing else",
    )


def _hidden(decoder: DecoderBench, draw: int) -> Case:
    """Return the planted case with its hidden labels permuted."""
    case, rng = decoder.planted(), np.random.default_rng(draw)
    validation = replace(case.validation, true=rng.permutation(case.validation.true))
    if "validation" not in decoder.spec.needs:
        validation = replace(validation, given=rng.permutation(validation.given))
    test = rng.permutation(case.test.true)
    return replace(
        case,
        train=replace(case.train, true=rng.permutation(case.train.true)),
        validation=validation,
        test=replace(case.test, true=test, given=test),
    )


def _everything(decoder: DecoderBench, case: Case) -> LabelVector:
    """Return the predictions on all subsets."""
    return np.concatenate(list(vars(predictions_of(decoder.outcome(case))).values()))


def _names(num_classes: int) -> LabelVector:
    return np.roll(np.arange(num_classes, dtype=np.int64), 2)


def _relabelled(case: Case) -> Case:
    """Return a case whose classes have other numbers."""
    names = _names(case.num_classes)
    train, validation, test = (
        replace(part, given=names[part.given], true=names[part.true])
        for part in (case.train, case.validation, case.test)
    )
    return replace(case, train=train, validation=validation, test=test)


def _mean_and_error(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def _share(differing: npt.NDArray[np.bool_]) -> str:
    return f"{100 * float(differing.mean()):.1f} %"


CHECKS = (
    described,
    recalls_a_stored_epoch,
    leaves_inputs_alone,
    decodes,
    leaves_the_process_alone,
    repeats_itself,
    starts_anew,
    minds_no_order,
    minds_no_class_names,
    parameters_have_an_effect,
    can_be_pickled,
    takes_float64,
    moments_give_the_same_model,
    bears_an_empty_class,
    bears_few_points,
    keeps_to_the_budget,
    beats_chance,
    finds_nothing_in_nothing,
    is_blind,
)
