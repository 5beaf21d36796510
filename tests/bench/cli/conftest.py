"""Commands in this process, and a tiny suite that was run."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from helpers.command_line import SUITE, WIDE, CommandLine, Completed, Workplace, memgen
from helpers.once import made_once
from memgen_bench import cli


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Run the script's function in this process: what imports torch need not do so each time."""
    monkeypatch.setenv("COLUMNS", WIDE["COLUMNS"])
    monkeypatch.setenv("MEMGEN_DEBUG", "")

    def run(*words: object) -> Completed:
        monkeypatch.setattr(sys, "argv", ["memgen-bench", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        code = caught.value.code
        assert isinstance(code, int)
        return Completed(code, *capsys.readouterr())

    return run


@pytest.fixture
def here(call: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Run commands where there is nothing yet."""
    monkeypatch.setenv("MEMGEN_DATA", str(tmp_path / "no-data"))
    monkeypatch.setenv("MEMGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return call


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, Completed]:
    """A complete run of the tiny suite by the console script; nobody may change what it left."""

    def make(folder: Path) -> None:
        own = Workplace(folder)
        own.suite.write_text(SUITE)
        (folder / "completed.json").write_text(json.dumps(memgen(*own.run("--all"))))

    folder = made_once(tmp_path_factory, "tiny", make)
    completed = json.loads((folder / "completed.json").read_text())
    return Workplace(folder), Completed(*completed)


@pytest.fixture
def workplace(first_run: tuple[Workplace, Completed], tmp_path: Path) -> Workplace:
    """A copy of the first run's workplace."""
    return Workplace(Path(shutil.copytree(first_run[0].folder, tmp_path / "work")))


@pytest.fixture
def empty_workplace(tmp_path: Path) -> Workplace:
    """A workplace in which nothing was run."""
    workplace = Workplace(tmp_path / "empty")
    workplace.folder.mkdir()
    workplace.suite.write_text(SUITE)
    return workplace


@pytest.fixture
def in_workplace(
    workplace: Workplace, call: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """Run commands within a copy of the first run's workplace."""
    monkeypatch.chdir(workplace.folder)
    monkeypatch.setenv("MEMGEN_CACHE", "cache")
    return call
