"""What pages and docstrings show is run."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import memgen_bench
from helpers.pages import DOCS, README, ROOT, example
from memgen_bench.plan.suite import load_suite
from memgen_bench.testing.examination import examine
from memgen_bench.testing.subjects import find_subjects

if TYPE_CHECKING:
    from memgen_bench.testing.check import CheckResult

HOW_TO, PLUGINS, TUTORIAL = DOCS / "how-to", DOCS / "plugins", DOCS / "tutorial.md"


def saved(text: str, folder: Path) -> Path:
    """Save an example as the plugin file that its page speaks of."""
    file = folder / "my_plugin.py"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("page", "mark", "name", "most"),
    [
        (README, "decoder", "naive-bayes", 10),
        (TUTORIAL, "decoder", "nearest-median", 20),
        (HOW_TO / "noise.md", "noise", "neighbour", 20),
    ],
)
def test_a_short_example_keeps_the_contract(
    page: Path, mark: str, name: str, most: int, tmp_path: Path
) -> None:
    text = example(page, mark)
    assert len(text.splitlines()) <= most
    file = saved(text, tmp_path)
    registry = memgen_bench.load_registry([file])
    (subject,) = find_subjects(registry, [str(file)], (str(file),), tmp_path)
    results: list[CheckResult] = []
    examine(subject, {}, results.append)
    assert [result for result in results if result.status == "failed"] == []
    assert subject.name == name


def test_the_example_of_a_model_is_a_plugin(tmp_path: Path) -> None:
    import torch

    models = memgen_bench.load_registry([saved(example(PLUGINS / "models.md"), tmp_path)]).models
    task = memgen_bench.Task(channels=1, height=8, width=8, num_classes=3)
    assert models["tiny"].build(task)(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def test_the_example_of_a_data_set_is_a_plugin(tmp_path: Path) -> None:
    file = saved(example(PLUGINS / "datasets.md"), tmp_path)
    data = memgen_bench.load_registry([file]).datasets["three-means"].load(tmp_path)
    assert data.train_x.shape == (400, 1, 8, 8)
    assert data.train_x.dtype == np.float32
    assert set(data.test_y) == {0, 1, 2}


def test_the_example_of_a_suite_is_one(tmp_path: Path) -> None:
    file = tmp_path / "my-suite.toml"
    file.write_text(example(HOW_TO / "suite.md", "suite"))
    suite = load_suite(str(file))
    assert (suite.name, len(suite.combinations())) == ("my-suite", 2)


@pytest.mark.slow
def test_the_example_of_an_engine_runs_a_suite(tmp_path: Path) -> None:
    imports = "from concurrent.futures import Future, ThreadPoolExecutor as Executor\n"
    summary = memgen_bench.run(
        "smoke",
        kinds=["untrained"],
        decoders=["ncm"],
        engine="my-pool",
        plugins=[saved(imports + example(HOW_TO / "engine.md", "engine"), tmp_path)],
        results=tmp_path / "results",
        cache_dir=tmp_path / "cache",
        jobs=1,
    )
    assert summary.ok == summary.planned > 0


@pytest.mark.slow
def test_the_example_of_moments_is_a_plugin_that_is_fitted_from_them(tmp_path: Path) -> None:
    decoders = ["nearest-mean", "ncm-euclidean"]
    summary = memgen_bench.run(
        "smoke",
        models=["mlp"],
        rates=[0.4],
        kinds=["untrained"],
        decoders=decoders,
        plugins=[saved(example(PLUGINS / "decoders.md", "moments"), tmp_path)],
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


@pytest.mark.slow
def test_the_example_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMGEN_CACHE", str(tmp_path / "cache"))
    text = example(HOW_TO / "notebook.md", "python")
    names: dict[str, Any] = {}
    exec(text.replace('"my-results"\n', '"my-results", models=["mlp"], jobs=1\n'), names)
    assert names["summary"].ok == names["summary"].planned == names["readings"].num_rows


def test_the_example_of_scores_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(example(HOW_TO / "notebook.md", "scores"), names)
    assert names["scores"].board.height > 1


@pytest.mark.parametrize("page", [README, TUTORIAL], ids=lambda page: page.name)
def test_the_example_of_a_classifier_runs(page: Path) -> None:
    names: dict[str, Any] = {}
    exec(example(page, "try"), names)
    assert "mine" in set(names["ranking"]["decoder"])


def documented() -> list[str]:
    """Return the public names whose docstrings hold examples."""
    docs = {name: getattr(memgen_bench, name).__doc__ or "" for name in memgen_bench.__all__}
    return [name for name, text in docs.items() if ">>>" in text]


@pytest.mark.parametrize("name", documented())
def test_the_examples_of_a_docstring_are_true(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMGEN_CACHE", str(tmp_path / "cache"))
    Path("leaderboard").symlink_to(ROOT / "leaderboard")
    found = getattr(memgen_bench, name)
    module = importlib.import_module(found.__module__)
    (test,) = doctest.DocTestFinder(recurse=False).find(found, name, module, globs={})
    said: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(optionflags=flags).run(test, out=said.append)
    assert said == []


def test_the_names_that_are_used_first_have_examples() -> None:
    asked = {"run", "read_results", "build_decoder", "try_decoder", "DecoderSpec", "ModelSpec"}
    assert asked | {"DatasetSpec", "NoiseSpec", "Family"} <= set(documented())
