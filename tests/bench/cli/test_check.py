"""`memgen-bench check`, `new` and `pytest --memgen-plugin` as their users meet them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers.third_party import ask_pytest
from memgen_bench import cli
from memgen_bench.testing.check import CheckResult
from memgen_bench.testing.check_report import Finding, markdown
from memgen_bench.testing.examination import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    PluginWriter = Callable[[str, str], Path]
    Check = Callable[..., tuple[int, str, str]]

NOISE = """
import numpy as np
from memgen_bench import NoiseSpec, hookimpl


def corrupt(labels, rate, num_classes, rng):
    return np.where(rng.random(len(labels)) < rate, (labels + 1) % num_classes, labels)


def transition(rate, num_classes):
    return np.eye(num_classes) * (1 - rate) + rate * np.roll(np.eye(num_classes), SHIFT, axis=1)


@hookimpl
def register_noises():
    about = {"summary": "k becomes k + 1", "corrupt": corrupt, "transition": transition}
    return [NoiseSpec(name="next", **about)]
"""
FINE, WRONG = NOISE.replace("SHIFT", "1"), NOISE.replace("SHIFT", "-1")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["memgen-bench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


def test_what_keeps_the_contract_is_said_check_by_check(
    command: Check, plugin_file: PluginWriter
) -> None:
    code, out, _ = command("check", plugin_file("mine", FINE))
    assert code == 0
    assert out.startswith("noise next: 10 passed; ")
    assert out.count("✓") == 10


def test_what_breaks_it_costs_1_and_the_report_says_what_to_mend(
    command: Check, plugin_file: PluginWriter, tmp_path: Path
) -> None:
    file, report = plugin_file("mine", WRONG), tmp_path / "report.md"
    code, out, _ = command("check", file, "uniform", "--report", report)
    assert code == 1
    assert "  ✗ keeps-to-its-transition: at rate 0.2 class " in out
    assert out.rstrip().endswith("2 checked; to mend: noise next")
    text = report.read_text()
    assert text.startswith("## memgen-bench check: 1 failed\n")
    assert "### noise next (mine.py): 9 passed, 1 failed" in text
    assert "<summary>noise uniform (memgen-bench " in text


def test_a_report_on_the_terminal_is_all_there_is_on_standard_output(command: Check) -> None:
    code, out, err = command("check", "flip", "--report", "-")
    assert code == 0
    assert out.startswith("## memgen-bench check: passed\n")
    assert "noise flip: 10 passed" in err


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
    words: list[str], says: str, command: Check, tmp_path: Path
) -> None:
    code, _, err = command("check", *words, "--data-dir", tmp_path)
    assert code == 2
    assert says in err


def test_a_broken_plugin_fails_a_check_of_everything(
    command: Check, install_plugin: PluginWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin("broken", "import nonsense")
    monkeypatch.setattr("memgen_bench.testing.subjects.NOUNS", ("noise",))
    code, out, _ = command("check", "--all")
    assert code == 1
    assert "✗ plugin 'broken' of broken-dist 2.5" in out
    assert "mend or uninstall it" in out


def test_a_message_cannot_break_a_table() -> None:
    subject = Subject(noun="noise", name="n", plugin="p", files=(), data_dir=Path())
    verdict = CheckResult(check="c", status="failed", message="a | b <script>")
    text = markdown([Finding(subject, [verdict])], ["x <y>"])
    assert "| ✗ | c | 0.0 | a \\| b &lt;script> |" in text
    assert "- ✗ x &lt;y>" in text
    assert text.startswith("## memgen-bench check: 2 failed")


def test_a_new_package_says_what_comes_next(command: Check, tmp_path: Path) -> None:
    code, out, _ = command("new", "noise", "brand-new", "--into", tmp_path)
    assert code == 0
    assert "memgen-bench run --suite smoke --noise brand-new" in out
    assert (tmp_path / "brand-new" / "brand_new.py").is_file()
    code, _, err = command("new", "noise", "brand-new", "--into", tmp_path)
    assert code == 2
    assert "choose another name" in err


def test_each_check_is_a_test(tmp_path: Path, plugin_file: PluginWriter) -> None:
    done = ask_pytest(tmp_path, "-v", "--memgen-plugin", str(plugin_file("mine", WRONG)))
    assert done.returncode == 1
    assert "noise next::rates-nest PASSED" in done.stdout
    assert "noise next::keeps-to-its-transition FAILED" in done.stdout
    assert "transition() says 0.0 %; mend either" in done.stdout
    assert "The contract: Labels change as often as the stated matrix says" in done.stdout
    assert "1 failed, 9 passed" in done.stdout


@pytest.mark.slow
def test_checks_are_chosen_like_tests(tmp_path: Path) -> None:
    done = ask_pytest(tmp_path, "--memgen-plugin", "uniform", "-k", "rates-nest")
    assert "1 passed, 9 deselected" in done.stdout


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
