"""JSON with a checksum of its own, by which damage is detected."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from memgen_bench.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Mapping


def checksum(content: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def with_checksum(fields: Mapping[str, Any]) -> bytes:
    """Return fields and their checksum as JSON, with a line for each field."""
    return _lines({**fields, "sha256": checksum(_lines(fields))})


def read_checksummed(content: bytes) -> dict[str, Any]:
    """Return the fields of JSON that `with_checksum` made.

    Raises:
        DamagedError: A byte differs.
    """
    try:
        fields: dict[str, Any] = json.loads(content)
        del fields["sha256"]
        intact = with_checksum(fields) == content
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise DamagedError("its JSON does not match its checksum")
    return fields


def _lines(fields: Mapping[str, Any]) -> bytes:
    lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()
