"""What a gate says of a decoder, and the exit code that all of it amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What may come out, the worst first, and the exit code that it asks for.
OUTCOMES = {
    "regression": 1,  # worse, or slower
    "leak": 1,  # away from chance on labels that say nothing
    "missing": 2,  # what the baseline or the base has is not there to be measured
    "inconclusive": 3,  # too noisy to tell
    "new": 0,  # not in the baseline yet
    "drift": 0,  # other predictions, no worse
    "improvement": 0,  # better: to be accepted
    "skipped": 0,  # does not apply, then as now
    "fine": 0,
}
_NOT_MEASURED = {"missing", "new", "skipped"}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a gate says of one decoder on one fixture (or on networks that it trained).

    Attributes:
        decoder: Its name.
        fixture: Where it was measured.
        outcome: One of `OUTCOMES`.
        message: Why, and what to do; empty where all is well.
        unit: `%` for accuracies, which are shares in [0, 1], `ms` for seconds, or what is counted.
        before: What was accepted, or what the base takes.
        after: What it is now.
        changed: Share of the predictions that differ.
        p: Of the test for a change to the worse.
        against_accepted: Whether it was compared with something; a null is not.
    """

    decoder: str
    fixture: str
    outcome: str
    message: str = ""
    unit: str = "%"
    before: float | None = None
    after: float | None = None
    changed: float | None = None
    p: float | None = None
    against_accepted: bool = True


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Return 0 (fine), 1 (worse), 2 (nothing or the wrong thing measured) or 3 (inconclusive).

    Nothing measured never passes: neither does a gate that compared nothing.
    """
    codes = {OUTCOMES[verdict.outcome] for verdict in verdicts}
    if 1 in codes:
        return 1
    if 2 in codes or not any(_compared(verdict) for verdict in verdicts):
        return 2
    return max(codes)


def _compared(verdict: Verdict) -> bool:
    return verdict.against_accepted and verdict.outcome not in _NOT_MEASURED
