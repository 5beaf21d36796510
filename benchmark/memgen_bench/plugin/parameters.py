"""A decoder's parameters as plain values, and the keyword arguments that its `fit` takes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench.errors import UsageError, is_fault
from memgen_bench.global_state import preserved

if TYPE_CHECKING:
    from memgen_bench.plugin.specs import DecoderSpec

# Parameters that change no result; they are left out of identities.
_IDLE_PARAMETERS = ("random_state", "n_jobs", "verbose", "memory", "copy", "copy_X")


def parameters(estimator: object) -> dict[str, Any]:
    """Return a decoder's parameters as plain values, those of nested estimators included.

    An estimator among them is replaced by its class name. A decoder without `get_params` has none.
    """
    if not hasattr(estimator, "get_params"):
        return {}
    return {
        name: plain(value)
        for name, value in sorted(estimator.get_params(deep=True).items())
        if name.rpartition("__")[2] not in _IDLE_PARAMETERS
    }


@preserved()
def built_parameters(spec: DecoderSpec) -> str:
    """Build a decoder and return its `parameters` as JSON; `null` where it cannot be built.

    Raises:
        UsageError: It has no parameter of a name that the user gave it.
    """
    try:
        return json.dumps(parameters(spec.build()), sort_keys=True)
    except BaseException as error:  # its readings will fail with the same error
        misnamed = isinstance(error, UsageError) and "[" in spec.name
        if misnamed or not is_fault(error):
            raise
        return "null"


def taken(fit: Callable[..., Any], needs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the needs that have a value and that a `fit` takes as arguments."""
    named = inspect.signature(fit).parameters
    return {name: value for name, value in needs.items() if name in named and value is not None}


def plain(value: Any) -> Any:
    """Return a value in plain types; any other object is replaced by its class name."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return type(value).__name__
