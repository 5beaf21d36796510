"""The package as an index has it: built, checked, and installed away from its repository."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from memgen_bench.cli import app

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = {"memgen_bench", "memgen_plugins", "memgen_leaderboard"}
NOT_MEANT = ("tests/", "leaderboard/results/", "leaderboard/networks/", "leaderboard/studies/")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def test_the_package_is_built_and_its_metadata_are_sound(built: Path) -> None:
    files = sorted(map(str, built.iterdir()))
    assert [Path(file).suffix for file in files] == [".whl", ".gz"]
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_a_wheel_holds_the_packages_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert [name for name in names if name.startswith(NOT_MEANT)] == []
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("gate/baseline.parquet") for name in names)
    assert wheel.stat().st_size < 8e6
    (sdist,) = built.glob("*.gz")
    with tarfile.open(sdist) as packed:
        inside = [name.partition("/")[2] for name in packed.getnames()]
    assert {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff"} <= set(inside)
    assert not [name for name in inside if name.startswith(NOT_MEANT[1:])]


def test_every_verb_works_where_the_repository_is_not(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    (site,) = home.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(others))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MEMGEN"))}

    def call(*words: str) -> str:
        command = [str(home / "bin" / "python"), "-m", "memgen_bench", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=inherited, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import memgen_bench, sys; sys.stdout.write(memgen_bench.__file__)"
    found = subprocess.run(
        [str(home / "bin" / "python"), "-c", where],
        cwd=tmp_path,
        env=inherited,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(str(site))
    shown = call("--help")
    verbs = [each.name or "" for each in app.registered_commands]
    verbs += [each.name or "" for each in app.registered_groups]
    assert len(verbs) > 15
    assert [verb for verb in verbs if verb not in shown] == []
    assert "masc" in call("list", "decoders")
    assert "core" in call("list", "suites")
