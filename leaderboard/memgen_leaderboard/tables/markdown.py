"""Tables as Markdown, and generated parts of Markdown files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memgen_bench.errors import StoreError
from memgen_bench.files.atomic import write_atomically
from memgen_leaderboard.text import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from memgen_leaderboard.text import Table

_SPECIAL = re.compile(r"[\\`*_\[\]<>|#&~$!@]|(?<=:)//|(?<=www)\.")


def escape(text: str) -> str:
    """Return Markdown that shows a text as it is: no markup, HTML, links or mentions."""
    return _SPECIAL.sub(lambda found: "".join(f"\\{c}" for c in found.group()), text)


def markdown(table: Table) -> str:
    """Return a table as Markdown, its text escaped."""

    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(map(escape, cells)) + " |"

    rule = "|" + "|".join(" :-- " if c in WORDS else " --: " for c in table.columns) + "|"
    lines = [f"**{escape(table.title)}**", "", line(table.columns), rule, *map(line, table.rows)]
    notes = [escape(note) for note in table.notes]
    return "\n".join([*lines, *([""] if notes else []), *([" ".join(notes)] if notes else [])])


def update(path: Path, parts: Mapping[str, Callable[[], str]], *, check: bool) -> bool:
    """Update the generated parts of a file, and return whether they were up to date already.

    Args:
        path: The file.
        parts: Functions that return a part's text, by its name. A part `x` goes between
            `<!-- x:begin -->` and `<!-- x:end -->`; its function is called only if the file has
            these marks.
        check: Leave the file unchanged.

    Raises:
        StoreError: The file does not exist, or has the marks of no part.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); make it first") from error
    except UnicodeDecodeError as error:
        raise StoreError(f"{path}: is not text in UTF-8 ({error.reason})") from error
    fresh, found = text, 0
    for name, make in parts.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, marked, rest = fresh.partition(begin)
        _, closed, after = rest.partition(end)
        if marked and closed:
            fresh, found = f"{before}{begin}\n{make()}\n{end}{after}", found + 1
    if not found:
        marks = " or ".join(f"<!-- {name}:begin --> … <!-- {name}:end -->" for name in parts)
        raise StoreError(f"{path}: needs the marks {marks} around the generated part")
    if fresh != text and not check:
        write_atomically(path, fresh.encode())
    return fresh == text
