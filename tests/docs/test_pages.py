"""Pages can be found: from the index, from each other, and from the files beside the code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import memgen_bench
from helpers.pages import DOCS, PAGES, PAPERS, README, ROOT, links, toctree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INDEX = DOCS / "index.md"
FOLDERS = [ROOT / name / "README.md" for name in ("benchmark", "plugins", "leaderboard")]


def clicks(follow: Callable[[Path], list[Path]]) -> dict[Path, int]:
    """Return how many clicks each page is away from the index."""
    found, todo = {INDEX: 0}, [INDEX]
    for page in todo:
        for other in follow(page):
            if other.suffix == ".md" and other not in found:
                found[other] = found[page] + 1
                todo.append(other)
    return found


def linked(page: Path) -> list[Path]:
    return [(page.parent / link).resolve() for link in links(page)]


def test_every_link_has_a_text() -> None:
    """Sphinx would fill in the title; who reads the files as they are would see nothing."""
    for page in PAGES:
        assert "[](" not in page.read_text(), page


def test_every_page_is_reachable_from_the_index() -> None:
    assert sorted(clicks(toctree)) == PAGES


@pytest.mark.parametrize(
    "answer",
    [
        "statistics.md",  # where is the layer chosen?
        "how-to/noise.md",  # I want a new kind of label noise
        "recovery.md",  # my run died: what is on disk?
    ],
)
def test_a_newcomer_is_answered_within_three_clicks(answer: str) -> None:
    assert clicks(linked)[DOCS / answer] <= 3


@pytest.mark.parametrize("file", [*PAPERS, *FOLDERS, *PAGES], ids=lambda file: file.name)
def test_links_lead_to_files_that_are_there(file: Path) -> None:
    assert [link for link in links(file) if not (file.parent / link).exists()] == []


def test_every_public_name_is_in_the_api_reference() -> None:
    text = "".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    shown = re.findall(r"^\.\. (?:auto)?\w+:: (?:memgen_bench\.)?(\w+)$", text, re.MULTILINE)
    assert set(memgen_bench.__all__) - set(shown) == set()


def test_what_the_package_promises_can_be_imported() -> None:
    assert all(hasattr(memgen_bench, name) for name in memgen_bench.__all__)


def test_the_reading_order_and_the_picture_name_modules_that_are_there() -> None:
    text = (DOCS / "architecture.md").read_text()
    order = text.partition("## Reading order")[2].partition("\n## ")[0]
    picture = (DOCS / "figures" / "flow.svg").read_text()
    named = re.findall(r"`([\w/]+\.py)`", order)
    named += [f"{name.replace('.', '/')}.py" for name in re.findall(r">(\w+\.\w+)</text>", picture)]
    assert len(named) > 20
    sources = [path for path in ROOT.glob("*/memgen_*") if path.is_dir()]
    places = [ROOT, *sources, *(path.parent for path in sources)]
    missing = [name for name in named if not any((p / name).is_file() for p in places)]
    assert missing == []


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


def test_the_changelog_names_modules_that_are_there() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    unreleased = text.partition("## Unreleased")[2].partition("\n## ")[0]
    tables = re.findall(r"Modules of `(\w+)`:\n\n(.*?)(?:\n\n|$)", unreleased, flags=re.DOTALL)
    sources = {path.parent.name: path.parent for path in ROOT.glob("*/memgen_*/__init__.py")}
    for package, rows in tables:
        for new in re.findall(r"^\| `[\w.]+` \| `([\w.]+)` \|$", rows, flags=re.MULTILINE):
            module = sources[package].joinpath(*new.split("."))
            assert module.is_dir() or module.with_suffix(".py").is_file(), f"{package}.{new}"
