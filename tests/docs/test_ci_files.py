"""What other repositories take from this one: the reusable workflow and the pre-commit hook."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from memgen_bench.cli import app

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "gate.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"


@pytest.mark.parametrize(
    "command",
    [
        ["check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(WORKFLOW)],
        ["pre_commit", "validate-manifest", str(HOOKS)],
    ],
)
def test_they_are_valid(command: list[str]) -> None:
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)


def test_they_call_what_is_there() -> None:
    hook = yaml.safe_load(HOOKS.read_text())[0]
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["steps"]
    calls = [line for step in steps for line in step.get("run", "").splitlines()]
    call = next(line for line in calls if line.startswith("memgen-bench gate"))
    gate = typer.main.get_command(app).commands["gate"]  # type: ignore[attr-defined]
    known = {option for parameter in gate.params for option in parameter.opts}
    for words in (shlex.split(hook["entry"]), shlex.split(call)):
        assert words[:2] == ["memgen-bench", "gate"]
        assert [word for word in words if word.startswith("--") and word not in known] == []


def test_a_word_of_the_caller_is_never_run_by_the_shell() -> None:
    assert "${{ inputs." not in "".join(
        step.get("run", "")
        for step in yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["steps"]
    )
