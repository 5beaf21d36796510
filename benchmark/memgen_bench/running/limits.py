"""The limits that a user sets for a run: networks at once, bytes, seconds and minutes."""

from __future__ import annotations

from numbers import Integral, Real

from memgen_bench.errors import RefusedValueError

_WHOLE = {
    "jobs": "should be a whole number of networks, at least 1",
    "memory": "should be a whole number of bytes, at least 1",
}
_ABOVE_0 = {"timeout": "should be a number of seconds above 0, or None for no limit"}
_FROM_0 = {"resume_minutes": "should be a number of minutes, at least 0"}


def check_limits(**limits: object) -> None:
    """Check the values of limits by name; None is no value.

    Raises:
        RefusedValueError: A value is no number, or out of range.
    """
    for name, value in limits.items():
        fault = (_WHOLE | _ABOVE_0 | _FROM_0)[name]
        if value is not None and not _is_fine(name, value):
            raise RefusedValueError(name, value, fault)


def _is_fine(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return False
    if name in _WHOLE:
        return isinstance(value, Integral) and int(value) >= 1
    least_is_fine = name in _FROM_0
    return isinstance(value, Real) and (float(value) > 0 or (least_is_fine and float(value) == 0))
