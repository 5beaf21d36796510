"""A decoder's parameters as plain values, for its identity and its row; and what it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
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
        name: plain(value)
        for name, value in sorted(estimator.get_params(deep=True).items())
        if name.rpartition("__")[2] not in _IDLE_PARAMETERS
    }


def taken(fit: Callable[..., Any], needs: Mapping[str, Any]) -> dict[str, Any]:
    """Return those extras that there are and that a `fit` takes."""
    named = inspect.signature(fit).parameters
    return {name: value for name, value in needs.items() if name in named and value is not None}


def plain(value: Any) -> Any:
    """Return a value in plain types; what has none stands as its class name."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return type(value).__name__
