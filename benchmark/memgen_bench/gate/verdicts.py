"""Verdicts of a gate on decoders, and the exit code that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The outcomes, the worst first, and their exit codes.
OUTCOMES = {
    "regression": 1,  # less accurate, or slower
    "leak": 1,  # away from chance on labels that are independent of the true ones
    "missing": 2,  # in the baseline, but cannot be measured now
    "inconclusive": 3,  # the interval is too wide
    "new": 0,  # not in the baseline yet
    "drift": 0,  # other predictions, no worse
    "improvement": 0,  # better: to be accepted
    "skipped": 0,  # not applicable, as before
    "fine": 0,
}
_NOT_MEASURED = {"missing", "new", "skipped"}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict of a gate on one decoder on one fixture (or on networks that it trained).

    Attributes:
        decoder: The decoder's name.
        fixture: The fixture's name, or the trained networks in words.
        outcome: One of `OUTCOMES`.
        message: The reason, and what to do; empty if the outcome is fine.
        unit: `%` for accuracies, which are shares in [0, 1], `ms` for seconds, or a counted unit.
        before: The accepted value, or that of the base.
        after: The new value.
        changed: Share of the predictions that differ.
        p: p value of the test for a change to the worse.
        against_accepted: Whether it was compared with an accepted value; a null is not.
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

    A gate that measured or compared nothing never passes.
    """
    codes = {OUTCOMES[verdict.outcome] for verdict in verdicts}
    if 1 in codes:
        return 1
    if 2 in codes or not any(_compared(verdict) for verdict in verdicts):
        return 2
    return max(codes)


def _compared(verdict: Verdict) -> bool:
    return verdict.against_accepted and verdict.outcome not in _NOT_MEASURED


def accepting(decoder: str, *options: str) -> str:
    """Return the command that accepts the new accuracy of a decoder."""
    return " ".join(["memgen-bench gate accept", *options, f"--decoder {decoder} --reason …"])
