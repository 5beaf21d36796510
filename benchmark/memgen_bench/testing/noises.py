"""The checks of the contract for label noises."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench.errors import NotApplicable, one_line, text_of
from memgen_bench.plugin.specs import Positions
from memgen_bench.testing.check import (
    Broken,
    Inapplicable,
    check,
    demand,
    described,
    leaves_the_process_alone,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_bench.arrays import LabelVector
    from memgen_bench.plugin.specs import NoiseSpec

COUNT = 20_000  # labels
CLASSES = 10
RATES = (0.0, 0.2, 0.5, 1.0)
FAR = 5.0  # standard errors
# Allowed share of the labels changed at a smaller rate that are true at a larger one: redrawn
# labels may be the true ones by chance.
UNDONE = 0.25


@dataclass(frozen=True)
class NoiseBench:
    """A noise to check on balanced labels.

    Attributes:
        spec: The noise's specification.
    """

    spec: NoiseSpec

    @cached_property
    def class_counts(self) -> tuple[int, ...]:
        """The numbers of classes, of 2 and `CLASSES`, that the noise applies to.

        Raises:
            Inapplicable: The noise applies to neither.
        """
        taken, reasons = [], []
        for num_classes in (2, CLASSES):
            try:
                self.corrupt(0.5, true=balanced(100, num_classes), num_classes=num_classes)
                taken.append(num_classes)
            except Inapplicable as reason:
                reasons.append(reason)
        if not taken:
            raise reasons[-1]
        return tuple(taken)

    def corrupt(
        self,
        rate: float,
        *,
        true: LabelVector | None = None,
        num_classes: int = CLASSES,
        seed: int = 0,
    ) -> npt.NDArray[Any]:
        """Return the corrupted labels at a rate.

        Raises:
            Inapplicable: The noise does not apply to such data.
            Broken: The noise fails.
        """
        labels = balanced(COUNT, num_classes) if true is None else true
        rng = np.random.default_rng(seed)
        extras = {
            "images": np.random.default_rng(1).normal(size=(len(labels), 1, 8, 8)).astype("f4"),
            "positions": Positions(index=np.arange(len(labels)), count=len(labels)),
        }
        needed = {need: extras[need] for need in self.spec.needs}
        try:
            return np.asarray(self.spec.corrupt(labels, rate, num_classes, rng, **needed))
        except NotApplicable as reason:
            raise Inapplicable(one_line(text_of(reason))) from reason
        except Exception as error:
            raise Broken(
                f"corrupt() fails on {len(labels)} labels of {num_classes} classes at rate "
                f"{rate:g}: {one_line(error)}; mend it"
            ) from error

    def exercise(self) -> None:
        """Corrupt labels, and ask for the transition matrix if it states one."""
        num_classes = self.class_counts[-1]
        self.corrupt(0.5, true=balanced(COUNT, num_classes), num_classes=num_classes)
        if self.spec.transition is not None:
            self.transition(0.5, num_classes)

    def transition(self, rate: float, num_classes: int = CLASSES) -> npt.NDArray[np.float64]:
        """Return the transition matrix that the noise states.

        Raises:
            Inapplicable: The noise states none.
        """
        if self.spec.transition is None:
            raise Inapplicable("it depends on the data, and states none")
        return np.asarray(self.spec.transition(rate, num_classes))


def balanced(count: int, num_classes: int) -> LabelVector:
    """Return labels with equally many points of each class."""
    return np.arange(count, dtype=np.int64) % num_classes


@check(essential=True)
def returns_labels(noise: NoiseBench) -> None:
    """As many integers in 0..K-1 as came in, whatever the rate, K and the number of labels."""
    for num_classes in noise.class_counts:
        for count in (0, 1, 1000):
            for rate in RATES:
                true = balanced(count, num_classes)
                given = noise.corrupt(rate, true=true, num_classes=num_classes)
                right = given.shape == true.shape and np.issubdtype(given.dtype, np.integer)
                demand(
                    right and bool(((given >= 0) & (given < num_classes)).all()),
                    f"{count} labels of {num_classes} classes at rate {rate:g} become "
                    f"{given.dtype}{list(given.shape)}, not {count} integers in "
                    f"0..{num_classes - 1}; mend corrupt()",
                )


@check()
def leaves_labels_alone(noise: NoiseBench) -> None:
    """The true labels that come in are not written to: they are needed afterwards."""
    true = balanced(COUNT, CLASSES)
    noise.corrupt(0.5, true=true)
    demand(
        bool((true == balanced(COUNT, CLASSES)).all()),
        "corrupt() writes to the labels that it is given; work on a copy",
    )


@check()
def rate_0_changes_nothing(noise: NoiseBench) -> None:
    """At rate 0 labels are the true ones."""
    changed = float(np.mean(noise.corrupt(0.0) != balanced(COUNT, CLASSES)))
    demand(changed == 0, f"at rate 0 {100 * changed:.1f} % of the labels change; none may")


@check(essential=True)
def repeats_itself(noise: NoiseBench) -> None:
    """A stream in the same state gives the same labels, whatever else draws random numbers."""
    found = []
    before = np.random.get_state()
    for seed in (1, 2):
        np.random.seed(seed)
        found.append(noise.corrupt(0.5))
    np.random.set_state(before)
    differing = float(np.mean(found[0] != found[1]))
    demand(
        differing == 0,
        f"two calls with one stream differ in {100 * differing:.1f} % of the labels; draw from "
        "`rng` and from nothing else",
    )


@check()
def draws_anew(noise: NoiseBench) -> None:
    """Another stream gives other labels, or averages over seeds would mean nothing."""
    first, second = (noise.corrupt(0.5, seed=seed) for seed in (1, 2))
    demand(bool((first != second).any()), "two streams give the same labels; draw from `rng`")


@check()
def rates_nest(noise: NoiseBench) -> None:
    """The points that a smaller rate corrupts are among those of a larger one."""
    true = balanced(COUNT, CLASSES)
    small, large = noise.corrupt(0.2), noise.corrupt(0.5)
    changed = small != true
    undone = float(np.mean((large == true)[changed])) if changed.any() else 0.0
    demand(
        undone <= UNDONE,
        f"{100 * undone:.0f} % of the labels that rate 0.2 changes are the true ones at rate 0.5; "
        "choose points by rng.random(len(labels)) < rate, before anything else is drawn",
    )


@check()
def keeps_to_the_rate(noise: NoiseBench) -> None:
    """The share of changed labels grows with the asked rate and is not above it."""
    true = balanced(COUNT, CLASSES)
    realised = {rate: float(np.mean(noise.corrupt(rate) != true)) for rate in RATES[1:]}
    shown = ", ".join(f"{rate:g} → {share:.3f}" for rate, share in realised.items())
    for rate, share in realised.items():
        error = np.sqrt(rate * (1 - rate) / COUNT)
        demand(
            share <= rate + FAR * error + 1e-9,
            f"more labels change than asked for ({shown}); the rate is the probability of a change",
        )
    shares = [0.0, *realised.values()]
    demand(
        all(np.diff(shares) > 0),
        f"the share of changed labels does not grow with the rate ({shown}); use the rate",
    )


@check()
def states_its_transition(noise: NoiseBench) -> None:
    """`transition` is a K×K matrix of probabilities, the unit matrix at rate 0."""
    for num_classes in noise.class_counts:
        for rate in RATES:
            matrix = noise.transition(rate, num_classes)
            what = f"transition({rate:g}, {num_classes})"
            demand(
                matrix.shape == (num_classes, num_classes),
                f"{what} has shape {list(matrix.shape)}, not [{num_classes}, {num_classes}]",
            )
            demand(
                bool((matrix >= -1e-12).all() and np.allclose(matrix.sum(axis=1), 1)),
                f"the rows of {what} are no probabilities of a given label; let them sum to 1",
            )
            demand(
                rate > 0 or np.allclose(matrix, np.eye(num_classes)),
                f"{what} is not the unit matrix, though rate 0 changes nothing",
            )


@check()
def keeps_to_its_transition(noise: NoiseBench) -> None:
    """Labels change as often as the stated matrix says, each class into each."""
    true = balanced(COUNT, CLASSES)
    each = COUNT // CLASSES
    for rate in RATES[1:]:
        stated, given = noise.transition(rate), noise.corrupt(rate)
        if stated.shape != (CLASSES, CLASSES):
            raise Broken("transition() has another shape than K×K; mend that first")
        found = np.zeros((CLASSES, CLASSES))
        np.add.at(found, (true, given), 1 / each)
        allowed = FAR * np.sqrt(np.maximum(stated * (1 - stated), 1 / each) / each)
        worst = np.unravel_index(np.argmax(np.abs(found - stated) - allowed), found.shape)
        demand(
            bool((np.abs(found - stated) <= allowed).all()),
            f"at rate {rate:g} class {worst[0]} becomes {worst[1]} in {100 * found[worst]:.1f} % "
            f"of the cases, and transition() says {100 * stated[worst]:.1f} %; mend either",
        )


CHECKS = (
    described,
    returns_labels,
    leaves_labels_alone,
    leaves_the_process_alone,
    rate_0_changes_nothing,
    repeats_itself,
    draws_anew,
    rates_nest,
    keeps_to_the_rate,
    states_its_transition,
    keeps_to_its_transition,
)
