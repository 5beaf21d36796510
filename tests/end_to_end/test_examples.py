"""Packages of third parties: the examples' own tests, and a run with all of them, installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from helpers.third_party import ask_pytest, environment_with, fresh_copy, register
from memgen_bench import load_registry
from memgen_bench.plugin.scaffold import write_package

EXAMPLES = Path(__file__).parents[2] / "plugins" / "examples"
MODULES = {
    "memgen-soft-voting": ["memgen_soft_voting"],
    "memgen-rings": ["memgen_rings.data", "memgen_rings.model"],
}


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} == set(MODULES)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_the_own_tests_of_an_example_pass(name: str, tmp_path: Path) -> None:
    folder = fresh_copy(EXAMPLES / name, tmp_path)
    register(folder, name, *MODULES[name])
    done = ask_pytest(folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_packages_installed_for_real_are_checked_and_get_onto_the_board(tmp_path: Path) -> None:
    packages = [fresh_copy(EXAMPLES / name, tmp_path) for name in MODULES]
    packages.append(write_package("decoder", "brand-new", tmp_path, load_registry()))
    python = environment_with(tmp_path / "venv", *packages)

    def ask(*words: str) -> str:
        command = [str(python), "-m", "memgen_bench.cli", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    checked = ask("check", "soft-voting", "rings", "ring-net")
    assert "3 checked; all of them keep the contract" in checked
    axes = ["--model", "ring-net", "--dataset", "rings"]
    decoders = [f"--decoder={name}" for name in ("soft-voting", "brand-new", "masc")]
    folders = ["--results", "results", "--cache-dir", "cache", "--data-dir", "data"]
    said = ask("run", "--suite", "smoke", *axes, *decoders, *folders)
    assert "0 failed" not in said
    assert " ok / " in said
    board = ask("leaderboard", "--results", "results")
    assert "soft-voting" in board
    assert " brand-new " in board
    assert "rings × ring-net" in board
