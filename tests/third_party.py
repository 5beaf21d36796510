"""Packages of third parties: registered, installed for real, and their own tests."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import venv
from pathlib import Path

import memgen_bench

_SOURCES = [str(path) for path in map(Path, sys.path) if path.is_dir()]


def register(folder: Path, name: str) -> None:
    """Put a package's metadata beside its modules, which is all that an installation needs."""
    module = name.replace("-", "_")
    info = folder / f"{module}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[memgen_bench]\n{module} = {module}\n")


def ask_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder whose modules are on the path, with this project's plugin."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    if not _installed_for_pytest():
        command[3:3] = ["-p", "memgen_bench.testing.pytest_plugin"]
    path = os.pathsep.join([str(folder), *_SOURCES])
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def _installed_for_pytest() -> bool:
    entries = importlib.metadata.entry_points(group="pytest11")
    return any(entry.value == "memgen_bench.testing.pytest_plugin" for entry in entries)


def environment_with(folder: Path, *packages: Path) -> Path:
    """Make a virtual environment that sees this one's packages, and install others into it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    here = [*_SOURCES, str(Path(memgen_bench.__file__).parent.parent)]
    (Path(found.stdout.strip()) / "here.pth").write_text("\n".join(here))
    options = ["-m", "pip", "install", "-q", "--no-deps"]
    subprocess.run([str(python), *options, *map(str, packages)], check=True)
    return python
