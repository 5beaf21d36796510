"""The environment of a computation: versions, machine, code commit."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path

_PACKAGES = ("memgen-bench", "torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), **packages}


@functools.cache
def environment() -> str:
    """Return versions and machine as one JSON text."""
    machine = {"machine": platform.machine(), "system": platform.system()}
    return json.dumps({**machine, "processor": _processor(), **versions()})


@functools.cache
def code_commit() -> str | None:
    """Return the git commit of this wheel or checkout, with `+` if the code was changed since."""
    here = Path(__file__).parents[1]
    noted = here / "_commit.txt"  # written into wheels by benchmark/hatch_build.py
    if noted.is_file():
        return noted.read_text()
    try:
        commit = _git(here, "rev-parse", "HEAD")
        tracked = _git(here, "ls-files", "--error-unmatch", __file__)
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None  # not a checkout, or no git
    return f"{commit}{'+' if changed else ''}" if tracked else None


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
