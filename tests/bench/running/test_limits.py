"""Limits of a run: what is no number, or out of range, is refused by its name."""

from __future__ import annotations

import numpy as np
import pytest

import memgen_bench
from memgen_bench.errors import RefusedValueError
from memgen_bench.running.limits import check_limits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("jobs", value) for value in (0, -1, "2", 1.5, True, float("nan"))],
        *[("memory", value) for value in (0, -1, "500MB", 1e9)],
        *[("timeout", value) for value in (0, -1.0, "x", float("nan"))],
        *[("resume_minutes", value) for value in (-1, "x", float("nan"))],
    ],
)
def test_what_is_no_limit_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(RefusedValueError, match=f"^{name}: .* should be a "):
        check_limits(**{name: value})


def test_numbers_of_any_library_are_limits() -> None:
    check_limits(jobs=np.int64(2), memory=1, timeout=np.float32(0.5), resume_minutes=0)
    check_limits(jobs=None, memory=None, timeout=None, resume_minutes=0.1)


def test_a_run_looks_at_its_limits_before_anything_else() -> None:
    with pytest.raises(RefusedValueError, match="jobs"):
        memgen_bench.run("no such suite", jobs=0)
