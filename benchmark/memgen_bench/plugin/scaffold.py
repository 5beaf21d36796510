"""New packages for plugins, made from templates that are packages themselves."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from memgen_bench.errors import UsageError, WriteError
from memgen_bench.protocol import READOUT

if TYPE_CHECKING:
    from memgen_bench.plugin.registry import Registry

TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def write_package(noun: str, name: str, into: Path, registry: Registry) -> Path:
    """Write a package that offers one plugin and passes its own tests.

    Args:
        noun: `decoder`, `model`, `feature`, `dataset` or `noise`.
        name: The plugin's name, which users type; also the name of the folder.
        into: The folder in which to create the package's folder.
        registry: The registry, whose names are taken.

    Returns:
        The new folder.

    Raises:
        UsageError: The name is invalid or taken, or the folder exists.
        WriteError: The folder cannot be written.
    """
    _check_name(noun, name, registry)
    folder = into / name
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is there already; choose another name, or another --into")
    try:
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into, prefix=f".{name}-") as temporary:
            whole = Path(temporary) / name
            for part in ("shared", noun):
                _copy(TEMPLATES / part, whole, noun, name)
            whole.rename(folder)
    except OSError as error:
        raise WriteError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def _copy(template: Path, to: Path, noun: str, name: str) -> None:
    """Copy a template's files, with the plugin's name put into their names and texts."""
    for source in sorted(template.rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            target = to / _renamed(str(source.relative_to(template)), noun, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_renamed(source.read_text(), noun, name))
            shutil.copymode(source, target)


def _renamed(text: str, noun: str, name: str) -> str:
    return (
        text.replace("my-plugin", name)
        .replace("my_plugin", name.replace("-", "_"))
        .replace("MyPlugin", "".join(word.capitalize() for word in name.split("-")))
        .replace("NOUN", noun)
    )


def _check_name(noun: str, name: str, registry: Registry) -> None:
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a package; it must begin with a letter and have only a-z, "
            "0-9 and single hyphens"
        )
    if name == READOUT:
        raise UsageError(f"{name!r} is the network's own readout; choose another name")
    if name in registry.catalogue(noun):
        plugin = registry.catalogue(noun).plugin(name)
        raise UsageError(
            f"the {noun} {name!r} is there already, from {plugin}; choose another name"
        )
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or _importable(module):
        raise UsageError(f"{module!r} is a Python module or word already; choose another name")


def _importable(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
