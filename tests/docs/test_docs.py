"""Documentation in step with code: what it shows is run, what it lists is what is registered."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import typer.main

import memgen_bench
from memgen_bench.cli import app
from memgen_bench.plugin import hookspecs
from memgen_bench.plugin.scaffold import TEMPLATES
from memgen_bench.plugin.specs import Need
from memgen_bench.testing.examination import checks_of, examine
from memgen_bench.testing.subjects import NOUNS, find_subjects
from memgen_leaderboard.scoring.suite_scores import all_scores
from memgen_leaderboard.tables.markdown import update
from memgen_leaderboard.tables.report import SECTIONS

if TYPE_CHECKING:
    from memgen_bench.testing.check import CheckResult

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PLUGINS = (ROOT / "plugins" / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
ENGINE = PLUGINS.partition("<!-- engine:begin -->\n```python\n")[2].partition("```")[0]
TEMPLATE = TEMPLATES / "shared" / ".github" / "workflows" / "test.yml"
HOOKS = [name for name in vars(hookspecs) if name.startswith("register_")]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_exact_signature(name: str) -> None:
    hook = getattr(hookspecs, name)
    signature = f"### `{name}{inspect.signature(hook)}`".replace("'", "")
    assert signature in PLUGINS
    promise = " ".join(inspect.getdoc(hook).split("\n")[0].split()).replace("``", "`")  # type: ignore[union-attr]
    assert promise.partition(";")[0] in " ".join(PLUGINS.split())


def test_every_hook_has_a_real_user() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "plugins").rglob("*.py"))
    assert [name for name in HOOKS if f"def {name}(" not in sources] == []


def test_every_hook_has_a_test() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    assert [name for name in HOOKS if f"def {name}(" not in sources + ENGINE] == []


@pytest.mark.slow
def test_the_engine_example_runs_a_suite(tmp_path: Path) -> None:
    file = tmp_path / "my_pool.py"
    names = "from concurrent.futures import Future, ThreadPoolExecutor as Executor\n"
    file.write_text(names + ENGINE)
    summary = memgen_bench.run(
        "smoke",
        kinds=["untrained"],
        decoders=["ncm"],
        engine="my-pool",
        plugins=[file],
        results=tmp_path / "results",
        cache_dir=tmp_path / "cache",
        jobs=1,
    )
    assert summary.ok == summary.planned > 0


def test_every_need_is_documented() -> None:
    assert [need for need in get_args(Need) if f"| `{need}` | " not in PLUGINS] == []


def test_the_decoder_in_20_lines_keeps_the_contract(tmp_path: Path) -> None:
    example = PLUGINS.partition("<!-- decoder:begin -->\n```python\n")[2].partition("```")[0]
    assert len(example.splitlines()) <= 20
    file = tmp_path / "my_decoder.py"
    file.write_text(example)
    registry = memgen_bench.load_registry([file])
    (subject,) = find_subjects(registry, [str(file)], (str(file),), tmp_path)
    verdicts: list[CheckResult] = []
    examine(subject, {}, verdicts.append)
    assert [v for v in verdicts if v.status == "failed"] == []
    assert subject.name == "nearest-median"


def test_the_tables_of_checks_are_those_that_are_made() -> None:
    tables = []
    for noun in NOUNS:
        rows = [f"| {noun} | |", "|---|---|"]
        rows += [f"| `{check.name}` | {check.demand} |" for check in checks_of(noun)]
        tables.append("\n".join(rows))
    shown = PLUGINS.partition("<!-- checks:begin -->\n")[2].partition("\n<!-- checks:end")[0]
    assert shown == "\n\n".join(tables)


@pytest.mark.parametrize(
    "workflow", [*sorted(ROOT.glob("plugins/examples/*/.github/workflows/*.yml")), TEMPLATE]
)
def test_workflows_are_what_github_reads(workflow: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    done = subprocess.run(
        [*command, "vendor.github-workflows", str(workflow)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_a_workflow_that_github_would_refuse_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "test.yml"
    file.write_text(TEMPLATE.read_text().replace("runs-on:", "run-on:"))
    with pytest.raises(AssertionError, match="run-on"):
        test_workflows_are_what_github_reads(file)


def test_the_table_of_decoders_is_the_registry() -> None:
    rows = ["| decoder | what it does | estimator | source |", "|---|---|---|---|"]
    for name, spec in memgen_bench.load_registry().decoders.items():
        estimator = " ".join(repr(spec.build()).split())
        rows.append(f"| `{name}` | {spec.summary} | `{estimator}` | {spec.citation} |")
    expected = "\n".join(rows)
    shown = PLUGINS.partition("<!-- decoders:begin -->\n")[2].partition("\n<!-- decoders:end")[0]
    assert shown == expected


@pytest.mark.parametrize("file", ["README.md", "leaderboard/README.md"])
def test_what_readmes_say_of_results_comes_from_those_committed(file: str) -> None:
    found = all_scores(ROOT / "leaderboard" / "results")
    parts = {name: partial(make, found) for name, make in SECTIONS.items()}
    assert update(ROOT / file, parts, check=True)


def test_the_notebook_example_of_the_leaderboard_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "leaderboard" / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "leaderboard/README.md", "exec"), names)
    assert names["scores"].board.height > 1


def test_every_command_in_the_readme_exists() -> None:
    root: Any = typer.main.get_command(app)
    for line in re.findall(r"^memgen-bench (.*?)(?: +#.*)?$", README, flags=re.MULTILINE):
        command, words = root, line.split()
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert [word for word in words if word.startswith("--") and word not in known] == []
        assert command is not root


@pytest.mark.slow
def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMGEN_CACHE", str(tmp_path / "cache"))
    names: dict[str, Any] = {}
    example = PYTHON[0].replace('"my-results"\n', '"my-results", models=["mlp"], jobs=1\n')
    exec(compile(example, "README.md", "exec"), names)
    assert names["summary"].ok == names["summary"].planned == names["readings"].num_rows


def test_the_decoder_example_is_a_plugin(tmp_path: Path) -> None:
    file = tmp_path / "my_decoder.py"
    file.write_text(PYTHON[1])
    spec = memgen_bench.load_registry([file]).decoders["my-mean"]
    X = [[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]]
    import numpy as np

    decoder = spec.build().fit(np.array(X), np.array([0, 0, 1, 1]))
    assert decoder.predict(np.array(X)).tolist() == [0, 0, 1, 1]


@pytest.mark.slow
def test_the_example_of_moments_is_a_plugin_that_is_fitted_from_them(tmp_path: Path) -> None:
    example = PLUGINS.partition("<!-- moments:begin -->")[2].partition("```python\n")[2]
    file = tmp_path / "nearest_mean.py"
    file.write_text(example.partition("```")[0])
    decoders = ["nearest-mean", "ncm-euclidean"]
    summary = memgen_bench.run(
        "smoke",
        models=["mlp"],
        rates=[0.4],
        kinds=["untrained"],
        decoders=decoders,
        plugins=[file],
        results=tmp_path / "results",
        cache_dir=tmp_path / "cache",
    )
    assert summary.ok == summary.planned
    rows = memgen_bench.read_results(tmp_path / "results").to_pylist()
    own, built_in = (
        {row["layer"]: row["test_correct"] for row in rows if row["decoder"] == name}
        for name in decoders
    )
    assert own == built_in


def test_what_the_package_promises_can_be_imported() -> None:
    assert all(hasattr(memgen_bench, name) for name in memgen_bench.__all__)
