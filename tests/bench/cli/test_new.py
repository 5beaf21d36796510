"""`memgen-bench new`, as a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command_line import CommandLine


def test_a_new_package_says_what_comes_next(call: CommandLine, tmp_path: Path) -> None:
    code, out, _ = call("new", "noise", "brand-new", "--into", tmp_path)
    assert code == 0
    assert "memgen-bench run --suite smoke --noise brand-new" in out
    assert (tmp_path / "brand-new" / "brand_new.py").is_file()
    code, _, err = call("new", "noise", "brand-new", "--into", tmp_path)
    assert code == 2
    assert "choose another name" in err
