"""Has a decoder become worse on a fixture? Pure decisions over what it predicted then and now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from memgen_bench.gate.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from memgen_bench.arrays import LabelVector

    Predictions = npt.NDArray[np.integer]

# All in shares; the mean is over a fixture's layers and test images.
LARGE_DROP = 0.01  # of the mean: fails by itself
SMALL_DROP = 0.005  # of the mean: fails where it is significant
LAYER_DROP = 0.03  # of one layer: fails by itself
DRIFT = 0.005  # of predictions that differ: a warning
SIGNIFICANT = 0.01
# A null's mean may differ from chance by this, and beyond it by what its draws scatter.
NULL_TOLERANCE = 0.005
NULL_SIGNIFICANT = 0.001


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a decoder predicts on a fixture, and what it predicted when that was accepted.

    Attributes:
        decoder: Its name.
        fixture: The fixture's name.
        layers: Names of the fixture's layers, L.
        before: Accepted predictions, L×M.
        after: Predictions now, L×M.
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

    It is a regression where the mean accuracy of a fixture's layers drops by more than 1 point,
    or by more than 0.5 points with p < 0.01 in the sign test (Holm-corrected over the decoder's
    fixtures), or where one layer drops by more than 3 points. It is an improvement where the
    same holds the other way round. What is neither, with more than 0.5 % of the predictions
    changed, has drifted.
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
        return replace(verdict, outcome="improvement", message=f"{reason}; accept it")
    if verdict.changed is not None and verdict.changed > DRIFT:
        message = (
            f"{100 * verdict.changed:.1f} % of the predictions changed, their accuracy did not"
        )
        return replace(verdict, outcome="drift", message=message)
    return verdict


def _reason(drops: npt.NDArray[np.float64], p: float, layers: Sequence[str], verb: str) -> str:
    """Return why drops of the layers' accuracies are too large; nothing where they are not."""
    mean, worst = float(drops.mean()), int(drops.argmax())
    # Differences of means of 0s and 1s: rounding must not decide at a limit.
    slack = 1e-9
    if mean > LARGE_DROP + slack:
        return f"mean accuracy {verb} by {100 * mean:.2f} points"
    if mean > SMALL_DROP + slack and p < SIGNIFICANT:
        return f"mean accuracy {verb} by {100 * mean:.2f} points, p = {p:.2g}"
    if drops[worst] > LAYER_DROP + slack:
        return f"accuracy on layer {layers[worst]} {verb} by {100 * drops[worst]:.2f} points"
    return ""


def sign_test(before: Predictions, after: Predictions, truth: LabelVector) -> float:
    """Return p of an exact one-sided sign test that accuracy did not drop.

    Each test image counts once, whatever the number of layers, since what layers make of one
    image is not independent: it has lost where more layers lost it than gained it.

    Args:
        before: Predictions, L×M.
        after: Predictions, L×M.
        truth: True labels, M.
    """
    lost = np.sum((before == truth).astype(int) - (after == truth), axis=0)
    losers, gainers = int(np.sum(lost > 0)), int(np.sum(lost < 0))
    if losers + gainers == 0:
        return 1.0
    return float(stats.binomtest(losers, losers + gainers, alternative="greater").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return [float(value) for value in corrected[np.argsort(order, kind="stable")]]


def judge_null(
    decoder: str, fixture: str, accuracies: npt.NDArray[np.float64], num_classes: int
) -> Verdict:
    """Say whether a decoder is at chance on labels that say nothing of the true ones.

    One draw of labels scatters far more than a binomial, so that the mean over draws counts: it
    may differ from 1/K by 0.5 points, and beyond that by what it scatters over groups of draws
    (two-sided t-test, p < 0.001). Better than chance is a leak, and worse is one, too.

    Args:
        decoder: Its name.
        fixture: The fixture's name.
        accuracies: Of each draw; K after K draws make a group, in which each label is given to
            each point once.
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
