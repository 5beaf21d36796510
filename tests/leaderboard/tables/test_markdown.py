"""Markdown: strangers' text stays text, and generated parts get into files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgen_bench.errors import StoreError
from memgen_leaderboard.scoring.suite_scores import all_scores
from memgen_leaderboard.tables.markdown import escape, markdown, update
from memgen_leaderboard.tables.report import board_tables, reports
from memgen_leaderboard.text import table

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench

HOSTILE = "<script>alert(1)</script> | [x](y) *b* `c` _d_ \\ $e$ @f &lt; https://g.h www.i.j ~~k~~"


def shown(text: str) -> str:
    """Return what a reader sees of escaped text."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def test_hostile_names_stay_in_their_cells() -> None:
    text = markdown(table(HOSTILE, ("rank", "decoder"), [("1", HOSTILE)], [HOSTILE]))
    title, _, _, rule, row, _, note = text.splitlines()
    assert rule == "| --: | :-- |"
    bare = re.sub(r"\\.", "", row)
    assert bare.count("|") == 3  # two cells
    for line in (title, row, note):
        assert not re.search(r"(?<!\\)[<>\[\]`$@~&]", line)
        assert "://" not in line
        assert "www." not in line
        assert HOSTILE in shown(line)


def test_a_hostile_decoder_stays_text_on_every_page(bench: Bench, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>`\n"  # a bar would say that features are beside a layer
    bench.cell(0.65, 0.4, 0.9)
    bench.decode({"fc1": (0.5, 0.7)}, decoder=name).decode({"fc1": (0.5, 0.9)}, labels="true")
    found = all_scores(bench.stored(tmp_path))
    for text in (board_tables(found), reports(found)):
        assert not re.search(r"(?<!\\)<script", text)
        rows = [line for line in text.splitlines() if "alert" in line and line.startswith("|")]
        assert rows
        for row in rows:
            columns = re.sub(r"\\.", "", row).count("|") - 1
            assert columns in (2, 4, 5, 11)
            assert "\\`\ufffd" in row


@given(st.text())
def test_escaping_changes_nothing_that_is_seen(text: str) -> None:
    assert shown(escape(text)) == text


def test_a_report_answers_and_shows_what_it_rests_on(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.cell(0.6, 0.4, 0.8, seed=seed).cell(0.6, 0.4, 0.8, seed=seed, model="cnn")
        bench.decode({"fc1": (0.5, 0.7)}, decoder="better", seed=seed)
        bench.decode({"fc1": (0.5, 0.7)}, decoder="better", seed=seed, model="cnn")
    text = reports(all_scores(bench.stored(tmp_path)))
    for part in (
        "### toy v1: cnn on digits, mlp on digits",
        "- On digits, cnn: What is chosen on validation has X = +30.0",
        " The best decoder, better, has X = +30.0",
        "**toy v1: all pairs**",
        "**toy v1: digits × cnn, noise uniform, 3 seeds**",
        "**cnn on digits: Accuracy by rate**",
        "**mlp on digits: Controls, ceilings and early stopping**",
        "| better | masc | +10.0 ± ",
        "they need 8 independent data sets",
    ):
        assert part in text


# files


PARTS = {"one": lambda: "1", "two": lambda: "2"}


def test_update_fills_the_parts_that_a_file_has(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    text = "a\n<!-- one:begin -->\nold\n<!-- one:end -->\nb\n"
    path.write_text(text)
    assert not update(path, PARTS, check=False)
    assert path.read_text() == text.replace("old", "1")
    assert update(path, PARTS, check=False)
    path.write_text(path.read_text() + "<!-- two:begin --><!-- two:end -->")
    assert not update(path, PARTS, check=False)
    both = text.replace("old", "1") + "<!-- two:begin -->\n2\n<!-- two:end -->"
    assert path.read_text() == both


def test_a_part_that_a_file_lacks_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("<!-- one:begin -->\n1\n<!-- one:end -->")

    def fail() -> str:
        raise AssertionError

    assert update(path, {**PARTS, "two": fail}, check=True)


def test_update_with_check_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    text = "<!-- one:begin -->\nold\n<!-- one:end -->"
    path.write_text(text)
    assert not update(path, PARTS, check=True)
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["", "<!-- one:begin -->", "<!-- two:end -->"])
def test_update_needs_both_marks(text: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(text)
    with pytest.raises(StoreError, match=r"needs the marks <!-- one:begin --> … <!-- one:end -->"):
        update(path, PARTS, check=False)


def test_update_of_a_file_that_is_not_there_is_an_error_for_the_user(tmp_path: Path) -> None:
    (tmp_path / "page.bin").write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match=r"page\.bin: is not text in UTF-8"):
        update(tmp_path / "page.bin", PARTS, check=True)
    with pytest.raises(StoreError, match=r"page.md: cannot be read .*; make it first"):
        update(tmp_path / "page.md", PARTS, check=True)
