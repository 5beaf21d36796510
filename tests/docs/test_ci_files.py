"""What other programs read of this repository: workflows, the pre-commit hook, the citation."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from memgen_bench.cli import app
from memgen_bench.plugin.scaffold import TEMPLATES

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "gate.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
TEMPLATE = TEMPLATES / "shared" / ".github" / "workflows" / "test.yml"
SCHEMA = ["check_jsonschema", "--builtin-schema"]


@pytest.mark.parametrize(
    "command",
    [
        [*SCHEMA, "vendor.github-workflows", *map(str, WORKFLOW.parent.glob("*.yml"))],
        [*SCHEMA, "vendor.citation-file-format", str(ROOT / "CITATION.cff")],
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


@pytest.mark.parametrize(
    "workflow", [*sorted(ROOT.glob("plugins/examples/*/.github/workflows/*.yml")), TEMPLATE]
)
def test_workflows_of_plugins_are_what_github_reads(workflow: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *SCHEMA, "vendor.github-workflows", str(workflow)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_a_workflow_that_github_would_refuse_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "test.yml"
    file.write_text(TEMPLATE.read_text().replace("runs-on:", "run-on:"))
    with pytest.raises(AssertionError, match="run-on"):
        test_workflows_of_plugins_are_what_github_reads(file)
