"""Boards as tables: what is in them, what is said beside them, and how they get into files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memgen_bench import store
from memgen_bench.errors import StoreError
from memgen_leaderboard import tables
from readings import FLAT, Bench, planned

if TYPE_CHECKING:
    from pathlib import Path


def test_a_board_shows_readout_and_decoders(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.1, 0.1, 0.9, rate=1.0, rankable=False)
    (board,) = tables.boards(bench.stored(tmp_path))
    assert board.title == "toy v1: digits × mlp, noise uniform, 1 seeds"
    rows = [dict(zip(board.columns, row, strict=True)) for row in board.rows]
    assert [row["decoder"] for row in rows] == ["readout", "masc"]
    readout, masc = rows
    assert (readout["recovery"], readout["accuracy"], readout["ρ 1"]) == ("0.0", "40.0", "10.0")
    assert (masc["#"], masc["recovery"], masc["accuracy"]) == ("1", "50.0", "65.0")
    assert (masc["ρ 0.4"], masc["ρ 1"], masc["vs untrained"]) == ("65.0", "10.0", "–")


def test_a_suite_has_its_own_board(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    shared = list(bench.rows)
    bench.cell(0.55, 0.4, 0.9, decoder="ncm")
    bench.stored(tmp_path)
    planned(shared, tmp_path, suite="other")
    boards = {board.title.partition(":")[0]: board for board in tables.boards(tmp_path)}
    decoders = {suite: [row[1] for row in board.rows] for suite, board in boards.items()}
    assert decoders == {"other v1": ["readout", "masc"], "toy v1": ["readout", "masc", "ncm"]}


def test_versions_of_a_suite_have_boards_of_their_own(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    bench.stored(tmp_path)
    planned(bench.rows, tmp_path, version=2)
    titles = [board.title.partition(":")[0] for board in tables.boards(tmp_path)]
    assert titles == ["toy v1", "toy v2"]


def test_what_no_plan_names_is_on_no_board(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    store.write_part(tmp_path, "readings", "net", store.table("readings", bench.rows))
    with pytest.raises(StoreError, match="lacks plans/"):
        tables.boards(tmp_path)


def test_what_is_planned_and_not_done_is_no_obstacle(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    bench.stored(tmp_path)
    planned([*bench.rows, {"key": "not done yet"}], tmp_path, suite="later")
    assert len(tables.boards(tmp_path)) == 2


def test_a_board_says_what_it_leaves_out(bench: Bench, tmp_path: Path) -> None:
    for seed in range(2):
        bench.cell(0.65, 0.4, 0.9, seed=seed)
    bench.decode({"fc1": (0.5, 0.5)}, decoder="rare")
    bench.decode({"fc1": (None, None)}, decoder="rare", seed=1, status="failed")
    bench.cell(0.65, 0.4, 0.9, seed=2, memorized=False)
    (board,) = tables.boards(bench.stored(tmp_path))
    notes = " ".join(board.notes)
    assert "1 readings failed." in notes
    assert "1 networks did not memorize and are left out." in notes
    assert "Not ranked, too few readings: rare." in notes


def test_a_board_says_how_the_layer_was_chosen(bench: Bench, tmp_path: Path) -> None:
    bench.decode({"fc1": (None, 0.5)}, validation_count=0).readout(0.3)
    (board,) = tables.boards(bench.stored(tmp_path))
    assert any("No validation part" in note for note in board.notes)


def test_results_without_a_memorized_network_have_no_board(bench: Bench, tmp_path: Path) -> None:
    bench.decode(FLAT, kind="untrained", memorized=None)
    assert tables.boards(bench.stored(tmp_path)) == []


def test_markdown_escapes_hostile_names() -> None:
    hostile = "<script>alert(1)</script> | [x](y) *b* `c` _d_ \\"
    board = tables.Board(
        title=hostile, columns=("#", "decoder"), rows=(("1", hostile),), notes=(hostile,)
    )
    text = tables.markdown(board)
    assert "<script>" not in text.replace("\\<", "")
    row = text.splitlines()[4]
    bare = row.replace("\\\\", "").replace("\\|", "")
    assert bare.count("|") == 3  # two cells
    for character in "<>[]*`_":
        assert character not in bare.replace(f"\\{character}", "")


def marked(content: str) -> str:
    return f"# Title\n{tables.BEGIN}\n{content}\n{tables.END}\nThe end.\n"


def test_update_replaces_what_is_between_the_marks(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(marked("old"))
    assert tables.update(path, "new", check=False) is False
    assert path.read_text() == marked("new")
    assert tables.update(path, "new", check=False) is True


def test_update_with_check_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(marked("old"))
    assert tables.update(path, "new", check=True) is False
    assert path.read_text() == marked("old")
    assert tables.update(path, "old", check=True) is True


@pytest.mark.parametrize(
    "text", ["", f"{tables.BEGIN}\n", f"{tables.END}\n", f"{tables.END}\n{tables.BEGIN}\n"]
)
def test_update_needs_both_marks(text: str, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(StoreError, match=r"README\.md: needs the marks"):
        tables.update(path, "new", check=False)
    assert path.read_text() == text


def test_update_of_a_file_that_is_not_there_is_an_error_for_the_user(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"README\.md"):
        tables.update(tmp_path / "README.md", "new", check=False)
