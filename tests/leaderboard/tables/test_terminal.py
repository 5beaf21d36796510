"""Tables in a terminal show names as they are."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from memgen_leaderboard.tables.terminal import show
from memgen_leaderboard.text import table


def test_names_are_text_and_numbers_stand_at_the_right() -> None:
    console = Console(file=io.StringIO(), width=120)
    name = "[bold red]x[/] :smile:"
    show(table(name, ("decoder", "ρ 0.2"), [(name, "1.0"), ("b", "10.0")], [name]), console)
    shown: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert [line.rstrip() for line in shown.splitlines()] == [
        name,
        "decoder                 ρ 0.2",
        f"{name}    1.0",
        "b                        10.0",
        name,
    ]


def test_a_narrow_terminal_has_more_room_for_numbers() -> None:
    widths = []
    for width in (120, 80):
        console = Console(file=io.StringIO(), width=width)
        show(table("t", ("a", "b", "c"), [("1", "2", "3")]), console)
        widths.append(len(console.file.getvalue().splitlines()[1].rstrip()))  # type: ignore[attr-defined]
    assert widths == [7, 5]


def test_a_narrow_terminal_leaves_columns_out_and_cuts_no_number() -> None:
    columns = ("decoder", "recovery", "vs pixels", "seconds", "ok")
    row = ("masc", "76.5 ± 3.3", "-4.7 ± 1.2", "0.0029", "80/80")
    console = Console(file=io.StringIO(), width=41)
    show(table("t", columns, [row]), console)
    shown: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert [" ".join(line.split()) for line in shown.splitlines()[1:]] == [
        "decoder recovery vs pixels ok",
        "masc 76.5 ± 3.3 -4.7 ± 1.2 80/80",
        "Shown where there is more room: seconds.",
    ]


@pytest.mark.parametrize("width", range(40, 121))
def test_no_width_cuts_a_number_or_a_name(width: int) -> None:
    columns = ("rank", "decoder", "X", "recovery", "clean net", "oracle", "layer", "ok")
    row = ("1–10", "knn-5[n_neighbors=50]", "-143.3 ± 52.1", "-590.0", "88.5", "–", "fc1", "1/1")
    console = Console(file=io.StringIO(), width=width)
    show(table("t", columns, [row]), console)
    shown: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
    (line,) = (line for line in shown.splitlines() if "knn" in line)
    assert set(line.split()) <= set(" ".join(row).split())
