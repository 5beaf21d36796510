"""A non-inferiority test of newly trained networks against the accepted ones; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from memgen_bench.gate.verdicts import Verdict, accepting

if TYPE_CHECKING:
    import numpy.typing as npt

MARGIN = 0.02  # a loss of mean accuracy below this counts as none
CONFIDENCE = 0.95  # on each side of the interval


def judge_runs(
    decoder: str,
    where: str,
    accepted: npt.NDArray[np.float64],
    now: npt.NDArray[np.float64],
) -> Verdict:
    """Compare the accuracies of new networks with those of accepted ones, seed by seed.

    The standard deviation between runs with the same data, noise and initial weights is estimated
    from the accepted runs of each seed. It gives the mean difference over the seeds a confidence
    interval (t, 95 % on each side): fine where the whole interval is above -2 points, a regression
    where it is below, else inconclusive. An improvement is an interval above +2 points.

    Args:
        decoder: The decoder's name.
        where: The trained networks, in words.
        accepted: Accuracies of the accepted runs, seeds × runs, at least two of each seed.
        now: Accuracies of one new run of each seed.
    """
    seeds, runs = accepted.shape
    difference = float(np.mean(now - accepted.mean(axis=1)))
    spread = float(np.sqrt(accepted.var(axis=1, ddof=1).mean()))
    error = spread * np.sqrt((1 + 1 / runs) / seeds)
    reach = float(stats.t.isf(1 - CONFIDENCE, seeds * (runs - 1)) * error)
    verdict = Verdict(
        decoder=decoder,
        fixture=where,
        outcome="fine",
        before=float(accepted.mean()),
        after=float(now.mean()),
    )
    interval = f"{100 * difference:+.2f} ± {100 * reach:.2f} points"
    if difference + reach < -MARGIN:
        return replace(verdict, outcome="regression", message=f"{interval}, margin -2")
    if difference - reach > MARGIN:
        return replace(
            verdict, outcome="improvement", message=f"{interval}; {accepting(decoder, '--train')}"
        )
    if difference - reach <= -MARGIN:
        return replace(verdict, outcome="inconclusive", message=f"{interval}, margin -2")
    return verdict
