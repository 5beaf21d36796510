"""Words for numbers in messages and tables."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the singular for 1: `1 network`, `1,200 networks`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
