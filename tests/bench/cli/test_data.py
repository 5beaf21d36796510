"""`memgen-bench data`, as a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command_line import CommandLine


def test_data_list_says_what_is_there_and_how_to_get_the_rest(
    here: CommandLine, tmp_path: Path
) -> None:
    outcome = here("data", "list", "--data-dir", str(tmp_path / "nothing"))
    assert outcome.code == 0
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line.strip()}
    assert lines["digits"].split()[1] == "yes"
    assert lines["mnist"].split()[1] == "no"
    assert f"data root: {tmp_path / 'nothing'}\n" in outcome.out
    assert "memgen-bench data download mnist" in outcome.out
