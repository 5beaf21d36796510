"""A decoder's parameters as plain values, for its identity and its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# These change no number: they are left out of identities.
_IDLE_PARAMETERS = ("random_state", "n_jobs", "verbose", "memory", "copy", "copy_X")


def parameters(estimator: object) -> dict[str, Any]:
    """Return a decoder's parameters as plain values, those of nested estimators included.

    Estimators stand as their class name. A decoder without `get_params` has none.
    """
    if not hasattr(estimator, "get_params"):
        return {}
    return {
        name: _plain(value)
        for name, value in sorted(estimator.get_params(deep=True).items())
        if name.rpartition("__")[2] not in _IDLE_PARAMETERS
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return type(value).__name__
