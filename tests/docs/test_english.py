"""Docstrings in plain English: a first line names the thing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("benchmark/memgen_bench", "plugins/memgen_plugins", "leaderboard/memgen_leaderboard")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
MOST_WHAT = 0.02
# Turns of phrase that a reader has to untangle.
KNOTS = (
    "are missing of",
    "Return of each",
    "of which all",
    "how sure",
    "lets loose",
    "surely",
)


def docstrings(text: str) -> list[str]:
    """Return the docstrings of a module, its classes and its functions."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, DOCUMENTED)]
    return [found for node in nodes if (found := ast.get_docstring(node))]


def first_lines(found: list[str]) -> list[str]:
    return [docstring.splitlines()[0] for docstring in found]


def says_what(line: str) -> bool:
    return re.search(r"\bwhat\b", line, re.IGNORECASE) is not None


@pytest.fixture(scope="module")
def found() -> list[str]:
    """Return all docstrings of the three source roots."""
    files = [file for root in SOURCES for file in sorted((ROOT / root).rglob("*.py"))]
    return [each for file in files for each in docstrings(file.read_text())]


def test_docstrings_of_modules_classes_and_functions_are_read() -> None:
    text = (
        '"""A."""\nclass B:\n    """B."""\n    async def c(self):\n        """C.\n\n        D."""\n'
    )
    assert first_lines(docstrings(text)) == ["A.", "B.", "C."]
    assert [line for line in ("What is it.", "See what.", "Somewhat.") if says_what(line)] == [
        "What is it.",
        "See what.",
    ]


def test_first_lines_name_the_thing(found: list[str]) -> None:
    lines = first_lines(found)
    vague = [line for line in lines if says_what(line)]
    assert len(vague) <= MOST_WHAT * len(lines), vague


def test_docstrings_speak_the_language_of_the_field(found: list[str]) -> None:
    assert [(knot, each) for knot in KNOTS for each in found if knot in each] == []
