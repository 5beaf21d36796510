"""Packages of third parties: registered, installed for real, and their own tests."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import site
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

import memgen_bench
import memgen_leaderboard
import memgen_plugins
from helpers.forking import forked

_PLUGIN = "memgen_bench.testing.pytest_plugin"
_IMPORTED_BEFORE = ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
_SOURCES = [
    str(Path(str(package.__file__)).parents[1])
    for package in (memgen_bench, memgen_plugins, memgen_leaderboard)
]


def fresh_copy(package: Path, into: Path) -> Path:
    """Copy a package, so that nothing is built or left behind in the checkout."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
    return Path(shutil.copytree(package, into / package.name, ignore=ignored))


def register(folder: Path, name: str, *modules: str) -> None:
    """Put a package's metadata beside its modules, which is all that an installation needs."""
    info = folder / f"{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    entries = [f"{module.replace('.', '_')} = {module}" for module in modules]
    (info / "entry_points.txt").write_text("\n".join(["[memgen_bench]", *entries, ""]))


class Asked(NamedTuple):
    """How a test run ended."""

    returncode: int | None
    stdout: str
    stderr: str


def ask_pytest(folder: Path, *options: str) -> Asked:
    """Run pytest in a folder whose modules are on the path, with this project's plugin."""
    with tempfile.TemporaryDirectory() as place:
        said = Path(place, "out"), Path(place, "err")
        words = [*pytest_words()[1:], *_IMPORTED_BEFORE, *options]
        process = forked(_run_pytest, folder, words, said)
        process.join()
        return Asked(process.exitcode, *(file.read_text() for file in said))


def _run_pytest(folder: Path, words: list[str], said: tuple[Path, Path]) -> None:
    path = [str(folder), *_SOURCES]
    sys.path[:0] = path
    os.environ["PYTHONPATH"] = os.pathsep.join(path)  # for children
    os.chdir(folder)
    for number, file in enumerate(said, start=1):
        with file.open("w") as opened:
            os.dup2(opened.fileno(), number)
    sys.exit(int(pytest.main(words)))


def pytest_words() -> list[str]:
    """Return how pytest is called; its plugin is named where the checkout is not installed."""
    entries = importlib.metadata.entry_points(group="pytest11")
    installed = any(entry.value == _PLUGIN for entry in entries)
    return ["pytest", "-p", "no:cacheprovider", *([] if installed else ["-p", _PLUGIN])]


def environment_with(folder: Path, *packages: Path) -> Path:
    """Make a virtual environment that sees this one's packages, and install others into it."""
    venv.create(folder)  # this one's pip installs, as a pip of its own would take seconds to make
    python = folder / "bin" / "python"
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    here = [*_SOURCES, *site.getsitepackages()]
    (Path(found.stdout.strip()) / "here.pth").write_text("\n".join(here))
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    plain = ["--no-deps", "--no-build-isolation"]  # what builds packages is among the packages here
    subprocess.run([*pip, "install", "-q", *plain, *map(str, packages)], check=True)
    return python
