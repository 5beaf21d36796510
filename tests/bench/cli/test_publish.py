"""`memgen-bench publish`, as a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command_line import CommandLine
    from helpers.readings import Bench


def test_results_become_a_folder_to_publish(
    bench: Bench, here: CommandLine, tmp_path: Path
) -> None:
    results = str(bench.cell(0.6, 0.4, 0.9).stored(tmp_path / "results"))
    out = str(tmp_path / "site")
    told = here("publish", out, "--results", results, "--licence", "CC0-1.0")
    assert told.code == 0, told.err
    assert "5 files" in told.out
    assert "license: cc0-1.0" in (tmp_path / "site" / "README.md").read_text()
    refused = here("publish", results, "--results", results)
    assert (refused.code, "holds something else" in refused.err) == (2, True)
