"""Do networks that are trained now decode as well as those that were accepted? Pure decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from memgen_bench.gate.verdicts import Verdict

if TYPE_CHECKING:
    import numpy.typing as npt

MARGIN = 0.02  # a mean accuracy that is lower by less is as good
CONFIDENCE = 0.95  # of each side


def judge_runs(
    decoder: str,
    where: str,
    accepted: npt.NDArray[np.float64],
    now: npt.NDArray[np.float64],
) -> Verdict:
    """Compare the accuracies of networks that differ in chance only, seed by seed.

    What a run scatters, with data, noise and initial weights the same, is known from the accepted
    runs of each seed. The mean difference over the seeds has a confidence interval from it (t,
    95 % on each side): fine where all of it is above -2 points, a regression where all of it is
    below, else inconclusive. An improvement is an interval above +2 points.

    Args:
        decoder: Its name.
        where: What was trained.
        accepted: Accuracies, seeds × runs of each, at least two.
        now: Accuracies of one run of each seed.
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
        return replace(verdict, outcome="improvement", message=f"{interval}; accept it")
    if difference - reach <= -MARGIN:
        return replace(verdict, outcome="inconclusive", message=f"{interval}, margin -2")
    return verdict
