"""Lines in a terminal hold no control characters, whoever named what is in them."""

from __future__ import annotations

import pytest

from memgen_bench.cli.terminal import say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("results\u202e/gpj.exe", r"results\u202e/gpj.exe"),
        ("caf\udce9", r"caf\udce9"),
        ("one\rtwo\x07", r"one\rtwo\x07"),
        ("two\nlines: ρ … é", "two\nlines: ρ … é"),
    ],
)
def test_what_cannot_be_printed_is_escaped(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say(text)
    say(text, warns=True)
    assert capsys.readouterr() == (f"{shown}\n", f"{shown}\n")
