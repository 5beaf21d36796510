"""`memgen-bench check`, as a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.next_noise import FINE, WRONG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.command_line import CommandLine

    PluginWriter = Callable[[str, str], Path]


def test_what_keeps_the_contract_is_said_check_by_check(
    call: CommandLine, plugin_file: PluginWriter
) -> None:
    code, out, _ = call("check", plugin_file("mine", FINE))
    assert code == 0
    assert out.startswith("noise next: 11 passed; ")
    assert out.count("✓") == 11


def test_what_breaks_it_costs_1_and_the_report_says_what_to_mend(
    call: CommandLine, plugin_file: PluginWriter, tmp_path: Path
) -> None:
    file, report = plugin_file("mine", WRONG), tmp_path / "report.md"
    code, out, _ = call("check", file, "uniform", "--report", report)
    assert code == 1
    assert "  ✗ keeps-to-its-transition: at rate 0.2 class " in out
    assert out.rstrip().endswith("2 checked; to mend: noise next")
    text = report.read_text()
    assert text.startswith("## memgen-bench check: 1 failed\n")
    assert "### noise next (mine.py): 10 passed, 1 failed" in text
    assert "<summary>noise uniform (memgen-bench " in text


def test_a_report_on_the_terminal_is_all_there_is_on_standard_output(call: CommandLine) -> None:
    code, out, err = call("check", "flip", "--report", "-")
    assert code == 0
    assert out.startswith("## memgen-bench check: passed\n")
    assert "noise flip: 11 passed" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "name what to check"),
        (["masc", "--all"], "name what to check"),
        (["flipp"], "did you mean flip?"),
        (["nowhere.py"], "there is no such file"),
        (["folder/nowhere"], "nothing was checked: not on disk"),
    ],
)
def test_where_nothing_is_checked_the_code_is_2(
    words: list[str], says: str, call: CommandLine, tmp_path: Path
) -> None:
    code, _, err = call("check", *words, "--data-dir", tmp_path)
    assert code == 2
    assert says in err


def test_a_broken_plugin_fails_a_check_of_everything(
    call: CommandLine, install_plugin: PluginWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin("broken", "import nonsense")
    monkeypatch.setattr("memgen_bench.testing.subjects.NOUNS", ("noise",))
    code, out, _ = call("check", "--all")
    assert code == 1
    assert "✗ plugin 'broken' of broken-dist 2.5" in out
    assert "mend or uninstall it" in out
