"""Standard streams: closed ones, and those that cannot show what is printed."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRINT = r"""
import sys
from memgen_bench.files.standard_streams import open_standard_streams, print_anything
open_standard_streams()
print_anything()
from rich.console import Console
from rich.table import Table
table = Table("ρ", "…", title="Σ ± – × ÷")
table.add_row("\u202e", "\udce9")
Console(width=60).print(table)
print("ρ … 漢")
open(sys.argv[1], "w").write("done")
"""


@pytest.mark.parametrize(
    ("encoding", "last"),
    [
        ("ascii", r"rho ... \u6f22"),
        ("cp1252", r"rho … \u6f22"),
        ("latin-1", r"rho ... \u6f22"),
        ("utf-8", "ρ … 漢"),
    ],
)
def test_any_terminal_shows_a_table(encoding: str, last: str, tmp_path: object) -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PRINT, f"{tmp_path}/out"],
        env={"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    ).stdout
    assert printed.decode(encoding).splitlines()[-1] == last


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_files_do_not_take_the_places_of_closed_streams(closed: str, tmp_path: object) -> None:
    out = f"{tmp_path}/out"
    command = f'"$0" -c "$1" "$2" {closed}'
    subprocess.run(["sh", "-c", command, sys.executable, PRINT, out], check=True)
    with open(out, encoding="utf-8") as file:  # noqa: PTH123 - the path is a text
        assert file.read() == "done"
