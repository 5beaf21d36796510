"""Lines in a terminal: names and texts of others cannot move its cursor or turn their order."""

from __future__ import annotations

import sys

from memgen_bench.errors import printable


def say(text: object, *, warns: bool = False) -> None:
    """Print lines, characters that cannot be printed escaped.

    Args:
        text: The lines.
        warns: Whether they go to standard error.
    """
    lines = "\n".join(map(printable, str(text).split("\n")))
    print(lines, file=sys.stderr if warns else sys.stdout)
