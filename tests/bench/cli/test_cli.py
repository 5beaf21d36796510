"""What every verb has: help, and one clear line for what goes wrong."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import memgen_bench
from helpers.command_line import SUITE, CommandLine, memgen

ROOT = Path(__file__).parents[3]
HEAVY = {"torch", "torchvision", "timm", "sklearn", "pyarrow", "polars"}


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


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "--decoder", "mask"], 2, "there is no decoder 'mask'; did you mean masc"),
        (["run", "--model", "timm/tset_resnet"], 2, "did you mean timm/test_resnet"),
        (["run", "--decoder", "knn-5[n_neighbors=abc]"], 2, "must be an int in the range [1, inf)"),
        (["run", "--decoder", "ncm>rda-50[pooling=2]"], 2, "'pooling' parameter of RDA must be"),
        (["run", "--decoder", "ma\nsc"], 2, r"there is no decoder 'ma\nsc'"),
        (["run", "--dataset", "folder/a\nb"], 1, r"folder/a\nb"),
        (["run", "--noise", "unifrom"], 2, "did you mean uniform"),
        (["run", "--rate", "1.5"], 2, "error: --rate 1.5 should be less than or equal to 1\n"),
        (["run", "--rate", "x"], 2, "error: --rate x should be a valid number ("),
        (["run", "--rate", "0.4", "--rate", "x"], 2, "error: --rate x should be a valid number ("),
        (["run", "--seed", "-1"], 2, "--seed -1 should be greater than or equal to 0"),
        (["run", "--seed", f"{2**63}"], 2, f"--seed {2**63} should be less than"),
        (["run", "--init-seed", "-1"], 2, "--init-seed -1 should be"),
        (["run", "--labels", "ture"], 2, "--labels ture should be 'corrupted' or 'true' (did you"),
        (["run", "--train-size", "0"], 2, "--train-size 0 should be greater than 0"),
        (["run", "--jobs", "0"], 2, "--jobs 0 should be greater than or equal to 1"),
        (["run", "--timeout", "an hour"], 2, "--timeout an hour should be a valid number"),
        (["run", "--fitted-on", "both"], 2, "held_out_fraction (--held-out-fraction) above 0"),
        (["run", "--engine", "dusk", "--dry-run"], 2, "did you mean dask"),
        (["run", "--scheduler", "tcp://a:1", "--all"], 2, "only --engine dask has a scheduler"),
        (["run", "--kind", "messy"], 2, "--kind messy should be 'memorized', 'clean', "),
        (["run", "--device", "abacus"], 2, "--device abacus: take auto, cpu"),
        (["run", "--memory", "nonsense"], 2, "'nonsense' is no size; write one as 500MB or 4GiB"),
        (["run", "--memory", "-4GiB"], 2, "'-4GiB' is no size"),
        (["run", "--memory", "0"], 2, "'0' is no size"),
        (["run", "--memory", "1MiB", "--train-size", "1200", "--all"], 2, "raise --memory, or"),
        (["run", "--suite", "smok"], 2, "no suite or file 'smok'; did you mean smoke"),
        (["run", "--suite", "misspelt.toml"], 2, "unknown key 'seed'; did you mean 'seeds'"),
        (["run", "--suite", "broken.toml"], 2, "not valid TOML"),
        (["run", "--dataset", "mnist"], 1, "memgen-bench data download mnist"),
        (["run", "--dataset", "folder/nowhere"], 1, "put images in train/<class>/"),
        (["run", "--plugin", "broken.py"], 1, "RuntimeError: out of cheese; mend the file"),
        (["run", "--plugin", "nowhere.py"], 2, "nowhere.py: there is no such file"),
        (["run", "--plugin", "no\nwhere.py"], 2, r"no\nwhere.py: there is no such file"),
        (["check", "nowhere.py"], 2, "error: nowhere.py: there is no such file\n"),
        (["check", "ncm", "--plugin", "nowhere.py"], 2, "error: --plugin nowhere.py: there is no"),
        (["list", "--plugin", "broken.py"], 1, "RuntimeError: out of cheese; mend the file"),
        (["leaderboard", "--results", "nowhere"], 1, "nowhere: no such results folder"),
        (["leaderboard", "--results", "."], 1, "nothing to score"),
        (["leaderboard", "--results", "no\nwhere"], 1, r"no\nwhere: no such results folder"),
        (["compare", "--results", "."], 1, "nothing that was published, too"),
        (["compare", "--against", "rumours"], 2, "'rumours' is not one of 'published'"),
        (["compare", "a", "b", "--out", "tiny.csv"], 2, "'--out': dir 'tiny.csv' is a file"),
        (["figures", "--out", "tiny.csv"], 2, "'--out': dir 'tiny.csv' is a file"),
        (["publish", "tiny.csv"], 2, "'tiny.csv' is a file"),
        (["submit", "ncm", "--out", "tiny.csv"], 2, "'--out': dir 'tiny.csv' is a file"),
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
    (tmp_path / "misspelt.toml").write_text(SUITE.replace("seeds", "seed"))
    (tmp_path / "broken.toml").write_text("name = ")
    (tmp_path / "broken.py").write_text("raise RuntimeError('out of cheese')\n")
    (tmp_path / "tiny.csv").write_text("precious")
    smoke = ["--suite", "smoke"] if "--suite" not in arguments and arguments[0] == "run" else []
    outcome = here(*arguments, *smoke)
    assert outcome.code == code
    assert outcome.out == ""
    assert outcome.err.startswith("memgen-bench: error: ")
    assert says in outcome.err
    assert "unexpected" not in outcome.err
    assert outcome.err.count("\n") == 1


def test_an_error_has_a_traceback_with_debug() -> None:
    outcome = memgen("leaderboard", "--results", "/nowhere", "--debug")
    assert (outcome.code, outcome.out) == (1, "")
    assert "Traceback" in outcome.err
    assert "StoreError: /nowhere" in outcome.err


def test_the_package_is_the_command() -> None:
    words = [sys.executable, "-m", "memgen_bench", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "Usage: memgen-bench " in done.stdout


def test_a_tilde_is_home_on_the_command_line(
    here: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for words in (["--results=~/r"], ["--results", "~/r"]):
        outcome = here("leaderboard", *words)
        assert f"{tmp_path / 'home' / 'r'}: no such results folder" in outcome.err


def test_shells_can_complete_verbs(here: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MEMGEN_BENCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "memgen-bench lead")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert here().out.split() == ["leaderboard"]
