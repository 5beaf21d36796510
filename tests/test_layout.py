"""Where the tests of a module are: at the same place in this tree, or where the table says."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOTS = {
    "benchmark/memgen_bench": "tests/bench",
    "plugins/memgen_plugins": "tests/plugins",
    "leaderboard/memgen_leaderboard": "tests/leaderboard",
}
TEMPLATES = Path("benchmark/memgen_bench/plugin/templates")  # become other people's packages

BENCH, PLUGINS, BOARD = ROOTS
CHECKS = ("tests/bench/testing/test_examination.py", "each check fails a plugin that breaks it")
CONTRACT = ("tests/plugins/test_contract.py", "every plugin that ships keeps the contract")
GATE = ("tests/bench/gate/test_accuracy.py", "the gate is tested from readings to reports")
NETWORKS = ("tests/bench/gate/test_fresh_networks.py", "a part of the gate with fresh networks")
RUNS = ("tests/bench/running/test_runner.py", "a part of a run, which is tested as a whole")
CHILDREN = ("tests/end_to_end/test_reliability.py", "shows where computing ends early or fails")
PRESERVATION = ("tests/bench/global_state/test_preservation.py", "a part of preserving the state")
READER = ("tests/bench/decode/test_reader.py", "a part of reading a network")
RETRAINING = ("tests/bench/running/test_retraining.py", "one story from choice to table")
TYPES = "types without behaviour"

# Module: the file that tests it, and why it is not the one at the same place.
ELSEWHERE = {
    f"{BENCH}/__init__.py": (
        "tests/docs/test_examples.py",
        "what is offered is what is documented",
    ),
    f"{BENCH}/arrays.py": ("tests/bench/data/test_datasets.py", TYPES),
    f"{BENCH}/__main__.py": ("tests/bench/cli/test_cli.py", "calls the same function"),
    f"{BENCH}/cli/__main__.py": ("tests/bench/cli/test_cli.py", "calls the same function"),
    f"{BENCH}/cli/export.py": ("tests/bench/fixtures/test_fixture.py", "writes a fixture"),
    f"{BENCH}/cli/figures.py": ("tests/leaderboard/page/test_document.py", "draws the same data"),
    f"{BENCH}/cli/gate.py": GATE,
    f"{BENCH}/cli/unfolding.py": ("tests/bench/cli/test_options.py", "unfolds options"),
    f"{BENCH}/cli/progress.py": ("tests/bench/cli/test_run.py", "a run says how it goes on"),
    f"{BENCH}/cli/retrain.py": RETRAINING,
    f"{BENCH}/decode/activations.py": ("tests/bench/network/test_layers.py", "outputs of layers"),
    f"{BENCH}/decode/footprint.py": READER,
    f"{BENCH}/gate/baseline.py": GATE,
    f"{BENCH}/gate/noninferiority.py": NETWORKS,
    f"{BENCH}/gate/slowdown.py": ("tests/bench/gate/test_speed.py", "a part of the speed gate"),
    f"{BENCH}/gate/stopwatch.py": ("tests/bench/gate/test_speed.py", "a part of the speed gate"),
    f"{BENCH}/gate/trial.py": GATE,
    f"{BENCH}/gate/verdict_report.py": GATE,
    f"{BENCH}/gate/verdicts.py": ("tests/bench/gate/test_regression.py", "what a verdict is for"),
    f"{BENCH}/global_state/__init__.py": PRESERVATION,
    f"{BENCH}/global_state/setting.py": PRESERVATION,
    f"{BENCH}/hashing.py": ("tests/bench/plan/test_plan.py", "what decides an identity"),
    f"{BENCH}/messages.py": ("tests/bench/running/test_runner.py", TYPES),
    f"{BENCH}/network/trainer.py": ("tests/bench/network/test_cache.py", "trains or takes"),
    f"{BENCH}/network/training_state.py": ("tests/bench/network/test_resume.py", TYPES),
    f"{BENCH}/plugin/hookspecs.py": ("tests/bench/plugin/test_registry.py", "hooks are called"),
    f"{BENCH}/plugin/trajectory.py": (
        "tests/bench/network/test_running_trajectory.py",
        "its makers",
    ),
    f"{BENCH}/decode/relabelling.py": ("tests/bench/plugin/test_composition.py", "one of a chain"),
    f"{BENCH}/plugin/specs.py": ("tests/bench/plugin/test_registry.py", "what is registered"),
    f"{BENCH}/plugin/training_record.py": ("tests/bench/network/test_training.py", TYPES),
    f"{BENCH}/protocol.py": ("tests/bench/plan/test_plan.py", "one number in every identity"),
    f"{BENCH}/results/environment.py": RUNS,
    f"{BENCH}/results/rows.py": ("tests/bench/results/test_mismatches.py", "rows of a plan"),
    f"{BENCH}/seeds.py": ("tests/bench/data/test_corruption.py", "streams are what draws use"),
    f"{BENCH}/testing/check.py": CHECKS,
    f"{BENCH}/testing/datasets.py": CHECKS,
    f"{BENCH}/testing/decoders.py": CHECKS,
    f"{BENCH}/testing/memory.py": CHECKS,
    f"{BENCH}/testing/models.py": CHECKS,
    f"{BENCH}/testing/noises.py": CHECKS,
    f"{BENCH}/testing/features.py": CHECKS,
    f"{BENCH}/testing/planted.py": CHECKS,
    f"{BENCH}/testing/subjects.py": ("tests/bench/cli/test_check.py", "who is asked for by name"),
    f"{BENCH}/toolkit/engines.py": ("tests/test_arrows.py", "names for plugins to import"),
    f"{BENCH}/toolkit/files.py": ("tests/bench/files/test_atomic.py", "offers atomic writing"),
    f"{BENCH}/workers/answers.py": ("tests/bench/decode/test_reader.py", "a plan asks in children"),
    f"{BENCH}/workers/network_rows.py": CHILDREN,
    f"{BENCH}/workers/pending.py": CHILDREN,
    f"{BENCH}/workers/printed.py": ("tests/bench/workers/test_child.py", "what a child prints"),
    f"{BENCH}/workers/supervisor.py": ("tests/bench/workers/test_child.py", "how a child ends"),
    f"{PLUGINS}/datasets/image_files.py": ("tests/plugins/datasets/test_folders.py", "reads them"),
    f"{PLUGINS}/decoders/base/wrapped.py": CONTRACT,
    f"{PLUGINS}/decoders/catalogue/layer.py": CONTRACT,
    f"{PLUGINS}/decoders/catalogue/network.py": CONTRACT,
    f"{PLUGINS}/decoders/catalogue/offering.py": CONTRACT,
    f"{PLUGINS}/decoders/catalogue/robust.py": CONTRACT,
    f"{PLUGINS}/engines/catalogue.py": (
        "tests/bench/cli/test_cli.py",
        "an engine goes by its name",
    ),
    f"{PLUGINS}/engines/local.py": RUNS,
    f"{PLUGINS}/models/paper.py": ("tests/bench/network/test_layers.py", "widths of the paper"),
    f"{PLUGINS}/noises.py": ("tests/bench/data/test_corruption.py", "noises corrupt labels"),
    f"{BOARD}/__init__.py": (
        "tests/docs/test_examples.py",
        "what is offered is what is documented",
    ),
    f"{BOARD}/figures/charts.py": ("tests/leaderboard/figures/test_plots.py", "drawn in both ways"),
    f"{BOARD}/page/contents.py": ("tests/leaderboard/page/test_document.py", "what a page holds"),
    f"{BOARD}/publishing/data_card.py": (
        "tests/leaderboard/publishing/test_folder.py",
        "a file of the folder",
    ),
    f"{BOARD}/scoring/retraining.py": RETRAINING,
    f"{BOARD}/tables/notes.py": ("tests/leaderboard/tables/test_boards.py", "below each board"),
    f"{BOARD}/tables/report.py": ("tests/leaderboard/tables/test_markdown.py", "in Markdown"),
    f"{BOARD}/tables/retraining.py": RETRAINING,
}


@cache
def modules() -> dict[str, str]:
    """Return the modules that need tests, and the place of each of their tests."""
    return {
        str(path.relative_to(ROOT)): f"{tests}/{place(path, ROOT / source)}"
        for source, tests in ROOTS.items()
        for path in sorted((ROOT / source).rglob("*.py"))
        if TEMPLATES not in path.relative_to(ROOT).parents and says_something(path)
    }


def place(module: Path, source: Path) -> Path:
    """Return the place of a module's tests; those of a package are called like its folder."""
    name = module.parent.name if module.name == "__init__.py" else module.stem
    return module.parent.relative_to(source) / f"test_{name}.py"


def says_something(path: Path) -> bool:
    """Say whether there is more in a file than a docstring."""
    return len(ast.parse(path.read_text()).body) > 1


def test_a_module_has_its_tests_at_the_same_place_or_in_the_table() -> None:
    has = {module: tests for module, tests in modules().items() if (ROOT / tests).exists()}
    twice = [f"{m}: take it out of ELSEWHERE; it has {has[m]}" for m in ELSEWHERE if m in has]
    lacking = modules().keys() - has.keys() - ELSEWHERE.keys()
    missing = [f"{m}: write {modules()[m]}, or name it in ELSEWHERE" for m in sorted(lacking)]
    assert not twice + missing, "\n".join(twice + missing)


def test_the_table_names_what_is_there() -> None:
    gone = [
        f"{m}: ELSEWHERE names a module that is gone" for m in ELSEWHERE.keys() - modules().keys()
    ]
    tests = {tests for tests, _ in ELSEWHERE.values()}
    lost = [
        f"{path}: ELSEWHERE names tests that are gone"
        for path in tests
        if not (ROOT / path).exists()
    ]
    assert not gone + lost, "\n".join(gone + lost)
    assert all(reason for _, reason in ELSEWHERE.values())
