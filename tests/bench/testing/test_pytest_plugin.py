"""`pytest --memgen-plugin` as its users meet it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from helpers.next_noise import WRONG
from helpers.third_party import ask_pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    PluginWriter = Callable[[str, str], Path]


def test_each_check_is_a_test(tmp_path: Path, plugin_file: PluginWriter) -> None:
    done = ask_pytest(tmp_path, "-v", "--memgen-plugin", str(plugin_file("mine", WRONG)))
    assert done.returncode == 1
    assert "noise next::rates-nest PASSED" in done.stdout
    assert "noise next::keeps-to-its-transition FAILED" in done.stdout
    assert "transition() says 0.0 %; mend either" in done.stdout
    assert "The contract: Labels change as often as the stated matrix says" in done.stdout
    assert "1 failed, 10 passed" in done.stdout


@pytest.mark.slow
def test_checks_are_chosen_like_tests(tmp_path: Path) -> None:
    done = ask_pytest(tmp_path, "--memgen-plugin", "uniform", "-k", "rates-nest")
    assert "1 passed, 10 deselected" in done.stdout


@pytest.mark.slow
def test_an_unknown_plugin_is_a_wrong_use_of_pytest(tmp_path: Path) -> None:
    done = ask_pytest(tmp_path, "--memgen-plugin", "unifrom")
    assert done.returncode == 4
    assert "did you mean uniform?" in done.stderr


def test_everybody_elses_pytest_imports_nothing_heavy() -> None:
    code = (
        "import sys, pytest, memgen_bench.testing.pytest_plugin; "
        "print({'torch', 'numpy', 'sklearn', 'pyarrow', 'typer', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
