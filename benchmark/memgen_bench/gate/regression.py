"""Tests for a loss of accuracy on a fixture, from accepted and new predictions; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from memgen_bench.gate.verdicts import Verdict, accepting

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from memgen_bench.arrays import LabelVector

    Predictions = npt.NDArray[np.integer]

# All limits are shares; the mean is over a fixture's layers and test images.
LARGE_DROP = 0.01  # of the mean: fails by itself
SMALL_DROP = 0.005  # of the mean: fails where it is significant
LAYER_DROP = 0.03  # of one layer: fails by itself
DRIFT = 0.005  # share of changed predictions that is reported
SIGNIFICANT = 0.01
# A null's mean may differ from chance by this, plus the margin of a t-test over draws.
NULL_TOLERANCE = 0.005
NULL_SIGNIFICANT = 0.001


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The accepted and the new predictions of a decoder on a fixture.

    Attributes:
        decoder: The decoder's name.
        fixture: The fixture's name.
        layers: Names of the fixture's layers, L.
        before: Accepted predictions, L×M.
        after: New predictions, L×M.
        truth: True labels of the test images, M.
    """

    decoder: str
    fixture: str
    layers: tuple[str, ...]
    before: Predictions
    after: Predictions
    truth: LabelVector


def judge(comparisons: Sequence[Comparison]) -> list[Verdict]:
    """Compare one decoder's predictions with the accepted ones, fixture by fixture.

    The outcome is a regression where the mean accuracy of a fixture's layers drops by more than 1
    point, or by more than 0.5 points with p < 0.01 in the sign test (Holm-corrected over the
    decoder's fixtures), or where one layer drops by more than 3 points. It is an improvement under
    the same conditions for a rise. Otherwise it is a drift if more than 0.5 % of the predictions
    changed.
    """
    losses = holm([sign_test(each.before, each.after, each.truth) for each in comparisons])
    gains = holm([sign_test(each.after, each.before, each.truth) for each in comparisons])
    return [_judge(*each) for each in zip(comparisons, losses, gains, strict=True)]


def _judge(comparison: Comparison, loss_p: float, gain_p: float) -> Verdict:
    before, after = (
        (predicted == comparison.truth).mean(axis=1)
        for predicted in (comparison.before, comparison.after)
    )
    verdict = Verdict(
        decoder=comparison.decoder,
        fixture=comparison.fixture,
        outcome="fine",
        before=float(before.mean()),
        after=float(after.mean()),
        changed=float(np.mean(comparison.before != comparison.after)),
        p=loss_p,
    )
    if reason := _reason(before - after, loss_p, comparison.layers, "drops"):
        return replace(verdict, outcome="regression", message=reason)
    if reason := _reason(after - before, gain_p, comparison.layers, "rises"):
        return replace(
            verdict, outcome="improvement", message=f"{reason}; {accepting(verdict.decoder)}"
        )
    if verdict.changed is not None and verdict.changed > DRIFT:
        message = (
            f"{100 * verdict.changed:.1f} % of the predictions changed, their accuracy did not"
        )
        return replace(verdict, outcome="drift", message=message)
    return verdict


def _reason(drops: npt.NDArray[np.float64], p: float, layers: Sequence[str], verb: str) -> str:
    """Return the reason why the layers' drops in accuracy are too large, or an empty text."""
    mean, worst = float(drops.mean()), int(drops.argmax())
    # Rounding of means must not decide at a limit.
    slack = 1e-9
    if mean > LARGE_DROP + slack:
        return f"mean accuracy {verb} by {100 * mean:.2f} points"
    if mean > SMALL_DROP + slack and p < SIGNIFICANT:
        return f"mean accuracy {verb} by {100 * mean:.2f} points, p = {p:.2g}"
    if drops[worst] > LAYER_DROP + slack:
        return f"accuracy on layer {layers[worst]} {verb} by {100 * drops[worst]:.2f} points"
    return ""


def sign_test(before: Predictions, after: Predictions, truth: LabelVector) -> float:
    """Return the p value of an exact one-sided sign test that accuracy did not drop.

    Each test image counts once, since predictions from several layers of one image are not
    independent: it counts as lost where more layers lost it than gained it.

    Args:
        before: Accepted predictions, L×M.
        after: New predictions, L×M.
        truth: True labels, M.
    """
    lost = np.sum((before == truth).astype(int) - (after == truth), axis=0)
    losers, gainers = int(np.sum(lost > 0)), int(np.sum(lost < 0))
    if losers + gainers == 0:
        return 1.0
    return float(stats.binomtest(losers, losers + gainers, alternative="greater").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for multiple comparisons (Holm 1979)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return [float(value) for value in corrected[np.argsort(order, kind="stable")]]


def judge_null(
    decoder: str, fixture: str, accuracies: npt.NDArray[np.float64], num_classes: int
) -> Verdict:
    """Test whether a decoder is at chance on labels that are independent of the true ones.

    The accuracy on one draw of labels varies far more than a binomial, so the mean over draws
    counts. It may differ from 1/K by 0.5 points plus the margin of a two-sided t-test over groups
    of draws (p < 0.001). Better than chance is a leak, and so is worse than chance.

    Args:
        decoder: The decoder's name.
        fixture: The fixture's name.
        accuracies: The accuracy on each draw; every K draws in a row make a group, in which each
            point gets each label once.
        num_classes: K.
    """
    groups, chance = accuracies.reshape(-1, num_classes).mean(axis=1), 1 / num_classes
    away = abs(float(groups.mean()) - chance) - NULL_TOLERANCE
    error = float(groups.std(ddof=1) / np.sqrt(len(groups)))
    limit = float(stats.t.isf(NULL_SIGNIFICANT / 2, len(groups) - 1)) * error
    verdict = Verdict(
        decoder=decoder,
        fixture=fixture,
        outcome="fine",
        before=chance,
        after=float(groups.mean()),
        against_accepted=False,
    )
    if away <= limit:
        return verdict
    message = (
        f"{100 * groups.mean():.1f} % on labels that say nothing, chance is {100 * chance:.1f} %: "
        "it knows of true labels what it must not"
    )
    return replace(verdict, outcome="leak", message=message)
