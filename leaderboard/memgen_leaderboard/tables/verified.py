"""Decoders of which somebody else computed readings again, from the records in a results folder."""

from __future__ import annotations

import json
from pathlib import Path

from memgen_bench.wording import counted

MARK = "✓"
_FOLDER = "verified"
_LARGEST = 1 << 20  # bytes of a record


def verified(results: str | Path) -> dict[str, int]:
    """Return the decoders with a record, and how many of their readings were computed again."""
    found: dict[str, int] = {}
    for path in sorted(Path(results, _FOLDER).glob("*.json")):
        if not path.is_file() or path.stat().st_size > _LARGEST:
            continue  # not ours
        try:
            record = json.loads(path.read_text())
            name, count = str(record["decoder"]), len(record["recomputed"])
        except (ValueError, KeyError, TypeError):
            continue
        found[name] = found.get(name, 0) + count
    return found


def verified_note(found: dict[str, int]) -> list[str]:
    """Return a sentence on the marked decoders, if there are any."""
    if not found:
        return []
    named = ", ".join(
        f"{name} ({counted(readings, 'reading')})" for name, readings in found.items()
    )
    return [f"{MARK}: a random sample was computed again, the same bit by bit: {named}."]
