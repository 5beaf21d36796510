"""Tests for a slowdown of a decoder, from its times and costs at base and head; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from memgen_bench.gate.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

RATIO = 1.25  # of medians: a larger one is a slowdown,
SECONDS = 0.005  # if the difference is larger than this, too
SIGNIFICANT = 0.002  # by a one-sided Mann-Whitney test


def judge_times(decoder: str, where: str, base: Sequence[float], head: Sequence[float]) -> Verdict:
    """Compare seconds at base and head, which were measured in turns.

    The outcome is a regression where the median is more than 1.25 times the base's and more than
    5 ms above it, with p < 0.002 in a one-sided Mann-Whitney test. It is inconclusive where only
    p is too large, and an improvement where all of this holds the other way round.
    """
    before, after = float(np.median(base)), float(np.median(head))
    verdict = Verdict(
        decoder=decoder,
        fixture=where,
        outcome="fine",
        unit="ms",
        before=before,
        after=after,
        p=_p(base, head),
    )
    if _far(before, after):
        outcome = "regression" if _p(base, head) < SIGNIFICANT else "inconclusive"
        message = f"takes {after / before:.2f} times as long, p = {_p(base, head):.2g}"
        return replace(verdict, outcome=outcome, message=message)
    if _far(after, before) and _p(head, base) < SIGNIFICANT:
        return replace(
            verdict, outcome="improvement", message=f"{before / after:.2f} times as fast"
        )
    return verdict


def _far(quick: float, slow: float) -> bool:
    return slow > RATIO * quick and slow - quick > SECONDS


def _p(quick: Sequence[float], slow: Sequence[float]) -> float:
    """Return the p value of the test that `slow` is not slower than `quick`."""
    return float(stats.mannwhitneyu(slow, quick, alternative="greater").pvalue)


def judge_count(decoder: str, where: str, unit: str, base: float, head: float) -> Verdict:
    """Compare counts, which do not vary: more is a regression, less an improvement."""
    verdict = Verdict(
        decoder=decoder, fixture=where, outcome="fine", unit=unit, before=base, after=head
    )
    if head > base:
        return replace(
            verdict, outcome="regression", message=f"costs {head / base:.3g} times as many"
        )
    if head < base:
        return replace(verdict, outcome="improvement", message="costs fewer")
    return verdict
