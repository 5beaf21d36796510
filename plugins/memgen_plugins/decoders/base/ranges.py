"""The values that parameters of decoders take, in scikit-learn's form.

A class names them in `_parameter_constraints`; `_validate_params` raises a `ValueError` that says
parameter, range and value.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval

Range = list[Any]

COUNT: Range = [Interval(Integral, 1, None, closed="left")]
SEVERAL: Range = [Interval(Integral, 2, None, closed="left")]
POSITIVE: Range = [Interval(Real, 0, None, closed="neither")]
NOT_NEGATIVE: Range = [Interval(Real, 0, None, closed="left")]
FRACTION: Range = [Interval(Real, 0, 1, closed="both")]
ABOVE_ZERO: Range = [Interval(Real, 0, 1, closed="right")]
BELOW_ONE: Range = [Interval(Real, 0, 1, closed="left")]
BETWEEN: Range = [Interval(Real, 0, 1, closed="neither")]
SWITCH: Range = ["boolean"]
