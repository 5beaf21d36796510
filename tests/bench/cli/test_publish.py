"""`memgen-bench publish`, as a user calls it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

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


@pytest.mark.parametrize("verb", [["publish", "site"], ["figures", "--out", "site"]])
def test_what_is_asked_is_checked_before_what_must_be_installed(
    verb: list[str],
    bench: Bench,
    here: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = str(bench.cell(0.6, 0.4, 0.9).stored(tmp_path / "results"))
    for module in ("vl_convert", "altair", "matplotlib"):
        monkeypatch.setitem(sys.modules, module, None)
    for module in ("page.document", "figures.charts", "figures.plots"):
        monkeypatch.delitem(sys.modules, f"memgen_leaderboard.{module}", raising=False)
    refused = here(*verb, "--results", "nowhere")
    assert "nowhere: no such results folder" in refused.err
    refused = here(*verb, "--results", results, "--suite", "another")
    assert "another" in refused.err
    assert "pip install" not in refused.err
    refused = here(*verb, "--results", results)
    assert (refused.code, "pip install" in refused.err) == (2, True)
