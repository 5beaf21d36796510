"""The command line, through its real entry point."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import memgen_bench
from memgen_bench import cli, read_networks, read_results
from memgen_bench.results import store
from memgen_leaderboard.scoring.suite_scores import all_scores
from memgen_leaderboard.tables.boards import main_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from helpers.readings import Bench

    PluginWriter = Callable[[str, str], Path]
    CommandLine = Callable[..., "Completed"]

ROOT = Path(__file__).parents[3]
SCRIPT = Path(sys.executable).with_name("memgen-bench")
SUITE = """
name = "tiny"
version = 1
datasets = ["digits"]
models = ["mlp"]
rates = [0.4]
seeds = [0]
decoders = ["masc", "ncm"]
train_size = 300
test_size = 100
validation_fraction = 0.2
max_layer_dim = 0
"""
WIDE = {"COLUMNS": "200"}  # tables that are not folded
HEAVY = {"torch", "torchvision", "timm", "sklearn", "pyarrow", "polars"}
KINDS = ["clean", "memorized", "untrained"]


@dataclass(frozen=True)
class Completed:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Workplace:
    """A tiny suite, its results, and the networks that were trained for them."""

    folder: Path

    @property
    def suite(self) -> Path:
        return self.folder / "tiny.toml"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def run(self, *options: str) -> list[str]:
        """Return the command that runs the suite here."""
        places = ["--results", str(self.results), "--cache-dir", str(self.cache)]
        return ["run", "--suite", str(self.suite), *places, "--engine", "serial", *options]

    def parts(self, name: str) -> dict[Path, bytes]:
        """Return the parts of a table with their contents."""
        return {path: path.read_bytes() for path in (self.results / name).iterdir()}


def memgen(*arguments: str) -> Completed:
    """Run the installed console script in a process of its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MEMGEN_")}
    done = subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, env=inherited | WIDE, check=False
    )
    return Completed(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """Run the script's function in this process: what imports torch need not do so each time."""
    monkeypatch.setenv("COLUMNS", WIDE["COLUMNS"])
    monkeypatch.setenv("MEMGEN_DEBUG", "")
    monkeypatch.setenv("MEMGEN_DATA", str(tmp_path / "no-data"))
    monkeypatch.setenv("MEMGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Completed:
        monkeypatch.setattr(sys, "argv", ["memgen-bench", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        code = caught.value.code
        assert isinstance(code, int)
        return Completed(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, Completed]:
    """A complete run of the tiny suite by the console script; nobody may change what it left."""
    workplace = Workplace(tmp_path_factory.mktemp("run"))
    workplace.suite.write_text(SUITE)
    return workplace, memgen(*workplace.run("--all"))


@pytest.fixture
def workplace(first_run: tuple[Workplace, Completed], tmp_path: Path) -> Workplace:
    """A copy of the first run's workplace."""
    return Workplace(Path(shutil.copytree(first_run[0].folder, tmp_path / "work")))


@pytest.fixture
def empty_workplace(tmp_path: Path) -> Workplace:
    workplace = Workplace(tmp_path / "empty")
    workplace.folder.mkdir()
    workplace.suite.write_text(SUITE)
    return workplace


# help


@pytest.mark.parametrize(
    "verb",
    [
        [],
        ["run"],
        ["leaderboard"],
        ["compare"],
        ["list"],
        ["data"],
        ["cache"],
        ["why"],
        ["results"],
    ],
)
def test_help_answers_without_what_takes_long_to_import(verb: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "memgen_bench.cli", *verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Usage:" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & HEAVY


def test_the_version_is_told_without_what_takes_long_to_import() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "memgen_bench.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"memgen-bench {memgen_bench.__version__}\n"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & HEAVY


def test_the_version_is_said_by_the_package_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert importlib.metadata.version("memgen-bench") == memgen_bench.__version__


def test_no_command_shows_the_help(here: CommandLine) -> None:
    outcome = here()
    assert outcome.code == 2
    for verb in ("run", "leaderboard", "compare", "list", "data"):
        assert verb in outcome.out


# run


def test_a_run_ends_with_a_table_and_what_to_do_next(
    first_run: tuple[Workplace, Completed],
) -> None:
    workplace, outcome = first_run
    assert outcome.code == 0, outcome.err
    readings = read_results(workplace.results).num_rows
    for part in ("tiny v1", "readout", "masc", "ncm", "3 networks"):
        assert part in outcome.out
    assert f"{readings} ok / {readings} planned" in outcome.out
    last = outcome.out.splitlines()[-1]
    assert f"Results are in {workplace.results}" in last
    assert f"memgen-bench leaderboard --results {workplace.results}" in last


def test_a_run_says_on_stderr_how_it_goes_on(first_run: tuple[Workplace, Completed]) -> None:
    for part in ("1/3 mlp on digits", "3/3 mlp on digits", "(memorized)", "(untrained)"):
        assert part in first_run[1].err


def test_a_run_stores_every_reading_that_its_axes_ask_for(
    first_run: tuple[Workplace, Completed],
) -> None:
    rows = read_results(first_run[0].results).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    layers = ("input", "fc1", "fc2", "fc3", "logits")
    expected: Counter[tuple[Any, ...]] = Counter()
    for kind in KINDS:
        own = 0.4 if kind == "memorized" else 0.0
        expected[kind, "readout", None, own, "logits"] += 1
        for decoder in ("masc", "ncm"):
            for layer in layers:
                expected[kind, decoder, "corrupted", 0.4, layer] += 1
                expected[kind, decoder, "true", own, layer] += 1
    columns = ("kind", "decoder", "labels", "rate", "layer")
    assert Counter(tuple(row[name] for name in columns) for row in rows) == expected


def test_the_network_memorized(first_run: tuple[Workplace, Completed]) -> None:
    networks = {row["kind"]: row for row in read_networks(first_run[0].results).to_pylist()}
    assert sorted(networks) == KINDS
    assert networks["memorized"]["memorized"] is True
    assert networks["memorized"]["from_cache"] is False
    assert networks["untrained"]["memorized"] is None


def test_a_run_reads_each_part_once_from_its_start_to_the_board(
    workplace: Workplace, here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, read_bytes = Counter[Path](), Path.read_bytes

    def count(path: Path) -> bytes:
        read[path] += 1
        return read_bytes(path)

    before = set(workplace.results.rglob("*.parquet"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", count)
        done = here(*workplace.run("--kind", "untrained", "--decoder", "lda"))
    assert done.code == 0, done.err
    parts = set(workplace.results.rglob("*.parquet"))
    assert parts > before
    assert {path: read[path] for path in parts} == dict.fromkeys(parts, 1)
    board = here("leaderboard", "--results", str(workplace.results)).out
    assert done.out.startswith(board)


def test_a_second_run_computes_nothing(workplace: Workplace, here: CommandLine) -> None:
    before = workplace.parts("readings"), workplace.parts("networks")
    outcome = here(*workplace.run("--all"))
    assert outcome.code == 0
    assert (workplace.parts("readings"), workplace.parts("networks")) == before
    assert "3 of 3 networks are in the results" in outcome.err
    assert "ok / " in outcome.out


def test_a_decoder_added_later_trains_nothing(workplace: Workplace, here: CommandLine) -> None:
    before = workplace.parts("readings")
    trained = sorted(workplace.cache.rglob("*"))
    outcome = here(*workplace.run("--decoder", "ridge"))
    assert outcome.code == 0, outcome.err
    after = workplace.parts("readings")
    assert {path: after[path] for path in before} == before
    rows = read_results(workplace.results).to_pylist()
    networks = {row["network_id"] for row in rows}
    new = [path.name.partition("-")[0] for path in after.keys() - before.keys()]
    assert sorted(new) == sorted(networks)
    assert {row["decoder"] for row in rows} == {"masc", "ncm", "ridge", "readout"}
    found = {row["kind"]: row["from_cache"] for row in read_networks(workplace.results).to_pylist()}
    assert found == {"memorized": True, "clean": True, "untrained": None}
    assert sorted(workplace.cache.rglob("*")) == trained


@pytest.mark.parametrize("options", [[], ["--dry-run", "--all"], ["--dry-run", "--rate", "0.4"]])
def test_a_plan_is_printed_and_nothing_written(
    options: list[str], empty_workplace: Workplace, here: CommandLine
) -> None:
    outcome = here(*empty_workplace.run(*options))
    assert outcome.code == 0
    for part in ("mlp on digits: 1 memorized", "decoders: masc, ncm", "3 networks, 63 readings"):
        assert part in outcome.out
    assert not empty_workplace.results.exists()
    assert not (empty_workplace.cache / "networks").exists()
    start = f"memgen-bench run --suite {empty_workplace.suite} --all"
    assert (start in outcome.out) is (options == [])


def test_an_axis_option_starts_a_run(workplace: Workplace, here: CommandLine) -> None:
    outcome = here(*workplace.run("--kind", "memorized", "--labels", "corrupted"))
    assert outcome.code == 0
    assert "Results are in" in outcome.out


def test_a_run_of_another_size_has_its_own_board(workplace: Workplace, here: CommandLine) -> None:
    outcome = here(*workplace.run("--max-layer-dim", "64", "--decoder", "ncm"))
    assert outcome.code == 0, outcome.err
    assert "tiny v1: " in outcome.out
    assert "tiny+max_layer_dim=64 v1: " in outcome.out


@pytest.mark.parametrize("size", ["500MB", "4GiB", "1.5 GB", "800000000"])
def test_memory_is_given_as_people_write_it(
    size: str, empty_workplace: Workplace, here: CommandLine
) -> None:
    outcome = here(*empty_workplace.run("--kind", "untrained", "--memory", size))
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("columns", ["40", "300"])
def test_a_table_that_goes_to_no_terminal_has_a_width_of_its_own(
    columns: str, workplace: Workplace, here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    outcome = here("leaderboard", "--results", str(workplace.results))
    assert 100 < max(map(len, outcome.out.splitlines())) <= 140


@pytest.mark.parametrize("axis", [("--kind", "untrained"), ("--labels", "true"), ("--rate", "0")])
def test_a_run_with_nothing_to_score_is_no_failure(
    axis: tuple[str, str], empty_workplace: Workplace, here: CommandLine
) -> None:
    outcome = here(*empty_workplace.run(*axis))
    assert outcome.code == 0, outcome.err
    assert "tiny v1" not in outcome.out
    assert "Results are in" in outcome.out
    outcome = here("leaderboard", "--results", str(empty_workplace.results))
    assert (outcome.code, "nothing to score" in outcome.err) == (1, True)


BAD_DECODERS = """
import numpy as np
from memgen_bench import DecoderSpec, NotApplicable, hookimpl

class Base:
    def fit(self, X, y):
        return self
    def predict(self, X):
        return np.zeros(len(X), int)

class Raises(Base):
    def fit(self, X, y):
        raise RuntimeError("boom\\nand bust")

class Shape(Base):
    def predict(self, X):
        return np.zeros((len(X), 10))

class Nan(Base):
    def predict(self, X):
        return np.full(len(X), np.nan)

class Inapplicable(Base):
    def fit(self, X, y):
        raise NotApplicable("no meaning here")

@hookimpl
def register_decoders():
    return [
        DecoderSpec(name=made.__name__.lower(), summary="bad", build=made)
        for made in (Raises, Shape, Nan, Inapplicable)
    ]
"""


def test_a_decoder_that_breaks_becomes_rows_and_the_rest_goes_on(
    workplace: Workplace, plugin_file: PluginWriter, here: CommandLine
) -> None:
    bad = {
        "raises": ("failed", "error", "RuntimeError: boom and bust"),
        "shape": ("failed", "error", "ValueError: predict() returned shape (100, 10), not (100,)"),
        "nan": ("failed", "nan", "predict() returned NaN labels"),
        "inapplicable": ("skipped", None, "no meaning here"),
    }
    named = [option for name in (*bad, "ncm-euclidean") for option in ("--decoder", name)]
    plugin = str(plugin_file("bad_decoders", BAD_DECODERS))
    outcome = here(*workplace.run("--plugin", plugin, *named))
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    rows = read_results(workplace.results).to_pylist()
    columns = ("status", "error_type", "message")
    for name, expected in bad.items():
        found = {tuple(row[c] for c in columns) for row in rows if row["decoder"] == name}
        assert found == {expected}
    assert {r["status"] for r in rows if r["decoder"] == "ncm-euclidean"} == {"ok"}
    # three readouts, and each decoder on five layers of three networks with two kinds of labels
    assert "33 ok / 153 planned, 30 skipped, 90 failed" in outcome.out


def test_a_run_in_which_all_fails_has_failed(
    empty_workplace: Workplace, plugin_file: PluginWriter, here: CommandLine
) -> None:
    source = """
from memgen_bench import ModelSpec, hookimpl

def build(task):
    raise RuntimeError("no such luck")

@hookimpl
def register_models():
    return [ModelSpec(name="unlucky", summary="", build=build)]
"""
    plugin = str(plugin_file("unlucky", source))
    outcome = here(*empty_workplace.run("--plugin", plugin, "--model", "unlucky"))
    assert outcome.code == 1
    assert "0 ok / " in outcome.out
    rows = read_results(empty_workplace.results).to_pylist()
    assert {row["status"] for row in rows} == {"failed"}
    assert all("no such luck" in row["message"] for row in rows)


def test_a_data_set_that_is_not_there_is_left_out_with_its_reason(
    workplace: Workplace, here: CommandLine
) -> None:
    both = SUITE.replace('["digits"]', '["digits", "mnist"]')
    workplace.suite.write_text(both)
    outcome = here(*workplace.run("--all"))
    assert outcome.code == 0, outcome.err
    assert "left out: " in outcome.out
    assert "memgen-bench data download mnist" in outcome.out


# leaderboard


def test_the_leaderboard_is_shown(workplace: Workplace, here: CommandLine) -> None:
    outcome = here("leaderboard", "--results", str(workplace.results))
    assert outcome.code == 0
    for part in ("tiny v1", "masc", "ncm", "readout", "recovery"):
        assert part in outcome.out


def test_the_leaderboard_is_put_between_marks_and_checked(
    workplace: Workplace, here: CommandLine
) -> None:
    readme = workplace.folder / "README.md"
    readme.write_text("before\n<!-- leaderboard:begin -->\n<!-- leaderboard:end -->\nafter\n")
    command = ["leaderboard", "--results", str(workplace.results), "--update", str(readme)]

    stale = here(*command, "--check")
    assert (stale.code, f"{readme} is stale" in stale.out) == (1, True)
    assert "masc" not in readme.read_text()

    assert here(*command).code == 0
    text = readme.read_text()
    assert "| masc |" in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")

    assert here(*command, "--check").code == 0
    readme.write_text(text.replace("masc", "mask"))
    assert here(*command, "--check").code == 1


def test_a_suite_has_a_whole_board_though_another_computed_a_part(
    workplace: Workplace, here: CommandLine
) -> None:
    other = SUITE.replace('"tiny"', '"other"').replace('"ncm"', '"ridge"')
    workplace.suite.write_text(other)
    assert here(*workplace.run("--all")).code == 0
    boards = {scores.title: main_table(scores) for scores in all_scores(workplace.results)}
    recovery = {row[1]: row[2] for row in boards["other v1"].rows}
    assert recovery.keys() == {"readout", "masc", "ridge"}
    assert "–" not in recovery.values()


def test_other_kinds_and_labels_have_boards_of_their_own(
    workplace: Workplace, here: CommandLine
) -> None:
    filters = ["--kind", "memorized", "--kind", "clean", "--labels", "corrupted", "--rate", "0.4"]
    outcome = here("leaderboard", "--results", str(workplace.results), *filters)
    assert outcome.code == 0, outcome.err
    titles = [line.strip() for line in outcome.out.splitlines() if line.startswith("tiny v1")]
    assert titles == [
        "tiny v1: digits × mlp, noise uniform, 1 seed",
        "tiny v1: digits × mlp, noise uniform, 1 seed, clean networks, corrupted labels",
    ]


@pytest.fixture
def wide_results(bench: Bench, tmp_path: Path) -> str:
    for model in ("mlp", "cnn"):
        for dataset in ("digits", "usps"):
            own = {"model": model, "dataset": dataset, "network_id": f"{model} {dataset}"}
            for rate in (0.2, 0.6):
                bench.decode({"fc1": (0.5, 0.6)}, rate=rate, **own)
    bench.decode({"fc1": (0.5, 0.7)}, labels="true").decode({"fc1": (0.5, 0.7)}, kind="clean")
    return str(bench.stored(tmp_path / "wide"))


@pytest.mark.parametrize(
    ("option", "kept", "title", "networks"),
    [
        ("--rate", "0.2", "digits, usps × cnn, mlp, noise uniform, 1 seed", 4),
        ("--dataset", "usps", "usps × cnn, mlp, noise uniform, 1 seed", 4),
        ("--model", "cnn", "digits, usps × cnn, noise uniform, 1 seed", 4),
        ("--labels", "true", "digits × mlp, noise uniform, 1 seed, memorized networks", 1),
        ("--kind", "clean", "digits × mlp, noise uniform, 1 seed, clean networks", 1),
    ],
)
def test_each_filter_keeps_what_it_names(
    option: str, kept: str, title: str, networks: int, wide_results: str, here: CommandLine
) -> None:
    outcome = here("leaderboard", "--results", wide_results, option, kept)
    assert outcome.code == 0, outcome.err
    assert f"toy v1: {title}" in outcome.out
    (masc, by_rate) = [line.split() for line in outcome.out.splitlines() if " masc " in f" {line}"]
    assert masc[-1] == f"{networks}/{networks}"
    assert len(by_rate) == (3 if option in ("--dataset", "--model") else 2)


@pytest.mark.parametrize(
    ("option", "there"),
    [
        ("--rate", "0.2, 0.4, 0.6"),
        ("--dataset", "digits, usps"),
        ("--model", "cnn, mlp"),
        ("--labels", "corrupted, true"),
        ("--kind", "clean, memorized"),
    ],
)
def test_a_filter_that_keeps_nothing_says_what_there_is(
    option: str, there: str, wide_results: str, here: CommandLine
) -> None:
    value = "0.3" if option == "--rate" else "vit"
    outcome = here("leaderboard", "--results", wide_results, option, value)
    says = f"memgen-bench: error: no {option[2:]} {value} in the results; there are {there}"
    assert (outcome.code, outcome.err.strip()) == (2, says)


def test_filters_that_keep_nothing_together_say_of_what(
    wide_results: str, here: CommandLine
) -> None:
    filters = ["--labels", "true", "--kind", "clean", "--model", "cnn"]
    outcome = here("leaderboard", "--results", wide_results, *filters)
    assert outcome.code == 1
    assert "nothing to score of clean networks on true labels" in outcome.err
    assert "memgen-bench run makes some" in outcome.err


def test_networks_that_did_not_memorize_are_shown_where_they_are_asked_for(
    bench: Bench, tmp_path: Path, here: CommandLine
) -> None:
    results = str(bench.cell(0.6, 0.4, 0.8, memorized=False).stored(tmp_path))
    for verb in (("leaderboard",), ("figures", "--out", str(tmp_path / "figures"))):
        outcome = here(*verb, "--results", results)
        assert outcome.code == 1
        assert "of memorized networks" in outcome.err
        assert "--kind unmemorized shows those that did not memorize" in outcome.err
        shown = here(*verb, "--results", results, "--kind", "unmemorized")
        assert shown.code == 0, shown.err
        assert ("unmemorized networks" if verb == ("leaderboard",) else "layers") in shown.out


def test_several_files_are_updated_and_checked_together(
    workplace: Workplace, here: CommandLine
) -> None:
    files = [workplace.folder / name for name in ("README.md", "board.md")]
    for file, part in zip(files, ("leaderboard", "report"), strict=True):
        file.write_text(f"<!-- {part}:begin -->\n<!-- {part}:end -->\n")
    updates = [option for file in files for option in ("--update", str(file))]
    command = ["leaderboard", "--results", str(workplace.results), *updates]
    assert here(*command).code == 0
    assert "The best decoder is" in files[1].read_text()
    files[1].write_text(files[1].read_text().replace("The best", "The worst"))
    outcome = here(*command, "--check")
    assert outcome.code == 1
    assert f"{files[0]} is up to date" in outcome.out
    assert f"{files[1]} is stale" in outcome.out


def test_own_numbers_are_put_beside_published_ones(
    bench: Bench, here: CommandLine, tmp_path: Path
) -> None:
    own = {"model": "paper-cnn", "dataset": "fashion-mnist", "rate": 0.8}
    bench.decode({"fc1": (0.5, 0.7)}, **own).decode({"fc1": (0.5, 0.6)}, **own, decoder="mine")
    results = bench.readout(0.3, **own).stored(tmp_path / "results")
    outcome = here("compare", "--results", str(results), "--against", "published")
    assert outcome.code == 0, outcome.err
    (masc,) = [line.split() for line in outcome.out.splitlines() if " masc " in line]
    assert masc[:5] == ["paper-cnn", "fashion-mnist", "0.8", "memorized", "masc"]
    assert "-4.9" in masc
    assert "mine" not in outcome.out


# list and data


@pytest.mark.parametrize(
    ("what", "shows"),
    [
        ("models", ("mlp", "paper-resnet18", "timm/test_resnet", "timm/…")),
        ("datasets", ("digits", "fashion-mnist", "folder/…")),
        ("decoders", ("masc", "lda-shrunk", "variance=0.75")),
        ("noises", ("uniform", "flip", "permute", "pair")),
        ("suites", ("core", "smoke", "fashion", "paper")),
        ("plugins", ("decoders", "memgen_plugins/noises.py")),
    ],
)
def test_list_names_what_is_registered(
    what: str, shows: tuple[str, ...], here: CommandLine
) -> None:
    outcome = here("list", what)
    assert outcome.code == 0
    for part in shows:
        assert part in outcome.out


def test_list_takes_a_plugin_file_and_shows_its_text_as_it_is(
    plugin_file: PluginWriter, here: CommandLine
) -> None:
    source = BAD_DECODERS.replace('"bad"', '"[bold red]bad[/] :smile:"')
    outcome = here("list", "decoders", "--plugin", str(plugin_file("mine", source)))
    assert outcome.code == 0
    assert "inapplicable" in outcome.out
    assert "red]bad[/]" in outcome.out


def test_list_all_names_the_members_of_families(here: CommandLine) -> None:
    outcome = here("list", "models", "--all")
    assert "timm/resnet18" in outcome.out
    assert "timm/…" not in outcome.out


def test_a_broken_installed_plugin_is_reported_and_the_rest_works(
    install_plugin: PluginWriter, here: CommandLine
) -> None:
    install_plugin("mischief", "raise RuntimeError('out of cheese')\n")
    outcome = here("list", "noises")
    assert outcome.code == 0
    assert "uniform" in outcome.out
    assert outcome.err.startswith("memgen-bench: warning: plugin 'mischief' of mischief-dist 2.5")
    assert "out of cheese" in outcome.err
    assert outcome.err.count("\n") == 1


def test_data_list_says_what_is_there_and_how_to_get_the_rest(
    here: CommandLine, tmp_path: Path
) -> None:
    outcome = here("data", "list", "--data-dir", str(tmp_path / "nothing"))
    assert outcome.code == 0
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line.strip()}
    assert lines["digits"].split()[1] == "yes"
    assert lines["mnist"].split()[1] == "no"
    assert f"data root: {tmp_path / 'nothing'}\n" in outcome.out
    assert "memgen-bench data download mnist" in outcome.out


# results


def test_results_are_verified_and_damage_is_set_aside(
    workplace: Workplace, here: CommandLine
) -> None:
    results = str(workplace.results)
    expected = untimed(workplace.results)
    sound = here("results", "verify", results)
    assert (sound.code, sound.out) == (0, f"{results}: 7 parts, no faults\n")
    part, content = next(iter(workplace.parts("readings").items()))
    part.write_bytes(content[:-1])
    damaged = here("results", "verify", results)
    assert damaged.code == 1
    first, last = damaged.out.splitlines()
    assert first.startswith(f"{part}: damaged")
    assert last == f"{results}: 7 parts, 1 faults"
    assert f"{part}: damaged" in here(*workplace.run("--all")).err

    aside = here("results", "verify", results, "--set-aside")
    assert aside.code == 1
    assert f"{part}: moved to {workplace.results / 'damaged' / 'readings'}\n" in aside.out
    assert here("results", "verify", results).code == 0
    again = here(*workplace.run("--all"))
    assert (again.code, "failed" in again.out) == (0, False)
    assert here("results", "verify", results).code == 0
    assert untimed(workplace.results) == expected


def untimed(results: Path) -> list[dict[str, Any]]:
    times = ("created", "fit_seconds", "predict_seconds")
    return [{k: v for k, v in row.items() if k not in times} for row in rows(results)]


def test_results_are_merged_and_compacted(
    workplace: Workplace, here: CommandLine, tmp_path: Path
) -> None:
    half, results = tmp_path / "half", workplace.results
    shutil.copytree(results, half)
    for part in list(workplace.parts("readings"))[:2]:
        (half / "readings" / part.name).unlink()
    expected = rows(results)
    merged = here("results", "merge", str(tmp_path / "new"), str(half), str(results))
    assert (merged.code, merged.out) == (0, f"{tmp_path / 'new'}: 7 parts added\n")
    assert rows(tmp_path / "new") == expected
    again = here("results", "merge", str(half), str(results))
    assert again.out == f"{half}: 2 parts added\n"

    compacted = here("results", "compact", str(half))
    assert compacted.code == 0
    assert "readings: 3 parts became 1; 0 rows no longer counted" in compacted.out
    assert rows(half) == expected
    board = here("leaderboard", "--results", str(half)).out
    assert board == here("leaderboard", "--results", str(results)).out


def rows(results: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_results(results).to_pylist()
    return sorted(found, key=lambda row: str(row["key"]))


def test_conflicts_are_all_named_and_nothing_is_merged(
    workplace: Workplace, here: CommandLine, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    changed = read_results(workplace.results)
    wrong = [value and 1 - value for value in changed["validation_accuracy"].to_pylist()]
    at = changed.schema.get_field_index("validation_accuracy")
    store.write_part(other, "readings", "net", changed.set_column(at, changed.field(at), [wrong]))
    outcome = here("results", "merge", str(tmp_path / "new"), str(workplace.results), str(other))
    assert outcome.code == 1
    named = outcome.out.splitlines()
    assert len(named) == sum(value != 0.5 for value in wrong)
    assert all("differs in validation_accuracy: " in line for line in named)
    assert outcome.err.startswith(
        f"memgen-bench: error: nothing was merged (conflicts: {len(named)}"
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["csv", "json", "ndjson", "parquet"])
def test_the_rows_that_count_are_exported(
    kind: str, workplace: Workplace, here: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / f"readings.{kind}"
    command = ["results", "export", str(workplace.results), "--out", str(file)]
    outcome = here(*command)
    expected = rows(workplace.results)
    assert (outcome.code, outcome.out) == (0, f"{file}: {len(expected)} readings\n")
    read = {"csv": pl.read_csv, "json": pl.read_json, "ndjson": pl.read_ndjson}.get(
        kind, pl.read_parquet
    )
    found = read(file).sort("key").to_dicts()  # type: ignore[operator]
    for row, wanted in zip(found, expected, strict=True):
        bits, shares = wanted["test_correct"], wanted["class_accuracy"]
        assert row["test_correct"] == (bits if kind == "parquet" else bits.hex())
        assert row["class_accuracy"] == (
            json.dumps(shares).replace(" ", "") if kind == "csv" else shares
        )
        same = ("key", "decoder", "labels", "test_accuracy", "seed", "rankable", "message")
        assert [row[name] for name in same] == [wanted[name] for name in same]
    assert here(*command).code == 2
    networks = here(*command, "--table", "networks", "--force")
    assert networks.out == f"{file}: 3 networks\n"


# bad input


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "--decoder", "mask"], 2, "there is no decoder 'mask'; did you mean masc"),
        (["run", "--model", "timm/tset_resnet"], 2, "did you mean timm/test_resnet"),
        (["run", "--noise", "unifrom"], 2, "did you mean uniform"),
        (["run", "--rate", "1.5"], 2, "rates.0: Input should be less than or equal to 1"),
        (["run", "--seed", "-1"], 2, "seeds.0: "),
        (["run", "--seed", f"{2**63}"], 2, "seeds.0: Input should be less than"),
        (["run", "--engine", "dusk", "--dry-run"], 2, "did you mean dask"),
        (["run", "--scheduler", "tcp://a:1", "--all"], 2, "only --engine dask has a scheduler"),
        (["run", "--kind", "messy"], 2, "kinds.0: "),
        (["run", "--device", "abacus"], 2, "--device abacus: not usable here"),
        (["run", "--memory", "nonsense"], 2, "'nonsense' is no size; write one as 500MB or 4GiB"),
        (["run", "--memory", "-4GiB"], 2, "'-4GiB' is no size"),
        (["run", "--memory", "0"], 2, "'0' is no size"),
        (["run", "--memory", "1MiB", "--train-size", "1200", "--all"], 2, "raise --memory, or"),
        (["run", "--train-size", "1000000"], 2, "train_size 1000000 is more than the"),
        (["run", "--suite", "smok"], 2, "no suite or file 'smok'; did you mean smoke"),
        (["run", "--suite", "misspelt.toml"], 2, "unknown key 'seed'; did you mean 'seeds'"),
        (["run", "--suite", "broken.toml"], 2, "not valid TOML"),
        (["run", "--dataset", "mnist"], 1, "memgen-bench data download mnist"),
        (["run", "--dataset", "folder/nowhere"], 1, "put images in train/<class>/"),
        (["run", "--plugin", "broken.py"], 1, "RuntimeError: out of cheese; mend the file"),
        (["run", "--plugin", "nowhere.py"], 2, "nowhere.py: there is no such file"),
        (["list", "--plugin", "broken.py"], 1, "RuntimeError: out of cheese; mend the file"),
        (["leaderboard", "--results", "nowhere"], 1, "nowhere: no such results folder"),
        (["leaderboard", "--results", "."], 1, "nothing to score"),
        (["compare", "--results", "."], 1, "nothing that was published, too"),
        (["compare", "--against", "rumours"], 2, "'rumours' is not one of 'published'"),
        (["leaderboard", "--check"], 2, "--check needs --update FILE"),
        (["leaderboard", "--update", "a.md", "--html", "b"], 2, "written one at a time"),
        (["export-activations", "--rate", "0", "--out", "x"], 2, "name a --rate above 0"),
        (["results", "verify", "nowhere"], 1, "nowhere: no such results folder"),
        (["results", "compact", "nowhere"], 1, "nowhere: no such results folder"),
        (["results", "merge", "new", "nowhere"], 1, "nowhere: no such results folder"),
        (["results", "merge", "new"], 2, "Missing argument"),
        (["results", "export", ".", "--out", "a.xls"], 2, "call it .csv, .json, .ndjson"),
        (["results", "export", ".", "--out", "tiny.csv"], 2, "there already; --force replaces"),
        (["results", "export", ".", "--out", "broken.py/a.csv"], 1, "cannot write broken.py/a.csv"),
        (["results", "export", ".", "--out", "a.csv", "--table", "x"], 2, "'x' is not one of"),
        (["data", "download", "digits"], 2, "cannot be downloaded"),
        (["data", "download", "minst"], 2, "did you mean mnist"),
        (["data", "import", "mnist", "nowhere"], 2, "nowhere: there is no such file or folder"),
        (["data", "import", "digits", "."], 2, "takes no files"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_gets_one_clear_line(
    arguments: list[str], code: int, says: str, here: CommandLine, tmp_path: Path
) -> None:
    write(tmp_path / "misspelt.toml", SUITE.replace("seeds", "seed"))
    write(tmp_path / "broken.toml", "name = ")
    write(tmp_path / "broken.py", "raise RuntimeError('out of cheese')\n")
    write(tmp_path / "tiny.csv", "precious")
    smoke = ["--suite", "smoke"] if "--suite" not in arguments and arguments[0] == "run" else []
    outcome = here(*arguments, *smoke)
    assert outcome.code == code
    assert outcome.out == ""
    assert outcome.err.startswith("memgen-bench: error: ")
    assert says in outcome.err
    assert "unexpected" not in outcome.err
    assert outcome.err.count("\n") == 1


def test_results_that_cannot_be_written_get_one_clear_line(
    workplace: Workplace, here: CommandLine
) -> None:
    blocked = write(workplace.folder / "file", "a file where a folder should be")
    outcome = here(*workplace.run("--all", "--results", f"{blocked}/results"))
    assert outcome.code == 1
    assert f"cannot write {blocked}" in outcome.err.splitlines()[-1]


def test_a_damaged_part_gets_one_clear_line(workplace: Workplace, here: CommandLine) -> None:
    path = next(iter(workplace.parts("readings")))
    path.write_bytes(b"rubbish")
    outcome = here("leaderboard", "--results", str(workplace.results))
    assert outcome.code == 1
    assert f"{path}: damaged" in outcome.err
    assert outcome.err.count("\n") == 1


def test_an_error_has_a_traceback_with_debug_only() -> None:
    command = ("leaderboard", "--results", "/nowhere")
    plain, debug = memgen(*command), memgen(*command, "--debug")
    assert (plain.code, debug.code) == (1, 1)
    assert plain.out == debug.out == ""
    assert plain.err.count("\n") == 1
    assert "Traceback" in debug.err
    assert "StoreError: /nowhere" in debug.err
