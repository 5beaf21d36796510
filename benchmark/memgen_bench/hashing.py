"""Content hashes, which are the identities of networks, readings, data and labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

_DIGITS = 20  # 80 bits: no collision to be expected below 10^12 things
_AS_THEY_ARE = {str, int, bool, type(None)}
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def digest(fields: Mapping[str, Any]) -> str:
    """Hash fields; their order does not matter, and 1 equals 1.0."""
    return canonical_digest(canonical(fields))


def canonical_digest(fields: Mapping[str, Any]) -> str:
    """Hash fields that are `canonical` already, as `digest` does, in half the time."""
    return hashlib.sha256(_encode(fields).encode()).hexdigest()[:_DIGITS]


def network_id(identity: Mapping[str, Any]) -> str:
    """Hash all that decides a network's weights.

    Args:
        identity: The fields to hash. `initial` holds those that many networks of a plan share; it
            is hashed by itself, so that a plan can do it once.
    """
    return digest({**identity, "initial": digest(identity["initial"])})


def array_digest(*arrays: npt.NDArray[np.generic]) -> str:
    """Hash the types, shapes and contents of arrays."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(f"{array.dtype.str}{array.shape}".encode())
        for start in range(0, len(array), 4096):  # in blocks: a memory map stays on disk
            state.update(array[start : start + 4096].tobytes())
    return state.hexdigest()[:_DIGITS]


def file_digest(path: Path) -> str:
    """Hash the contents of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]


def canonical(value: Any) -> Any:
    """Return a value in the form to hash: lists for tuples, text for keys, and 1 for 1.0."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, Mapping):
        return {
            str(key): item if type(item) in _AS_THEY_ARE else canonical(item)
            for key, item in value.items()
        }
    return value
