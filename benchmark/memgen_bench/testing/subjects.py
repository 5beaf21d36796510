"""The subjects of an examination, found by the names and files that a user gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memgen_bench.errors import DataNotFoundError, UsageError
from memgen_bench.testing.examination import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memgen_bench.plugin.registry import Catalogue, Plugin, Registry

NOUNS = ("decoder", "model", "feature", "dataset", "noise")


def plugin_files(targets: Iterable[str]) -> tuple[str, ...]:
    """Return the targets that are files, as absolute paths.

    Raises:
        UsageError: One of them is not there.
    """
    files = [target for target in targets if _is_file(target)]
    for file in files:
        if not Path(file).is_file():
            raise UsageError(f"{file}: there is no such file")
    return tuple(str(Path(file).resolve()) for file in files)


def find_subjects(
    registry: Registry, targets: Iterable[str], files: tuple[str, ...], data_dir: Path
) -> list[Subject]:
    """Return the subjects of names and files, in order; without targets all subjects.

    Args:
        registry: The registry in which names are looked up, with `files` loaded.
        targets: Names of decoders, models, features, data sets or noises, and plugin files.
        files: Plugin files that are not installed.
        data_dir: The data root.

    Raises:
        UsageError: A name is unknown, or a file has nothing to check.
    """
    found: list[tuple[str, str]] = []
    for target in targets:
        found += _offered_by(registry, target) if _is_file(target) else _named(registry, target)
    if not targets:
        found = list(_everything(registry))
    return [
        Subject(
            noun=noun,
            name=name,
            plugin=_origins(registry.catalogue(noun), name),
            files=files,
            data_dir=data_dir,
        )
        for noun, name in dict.fromkeys(found)
    ]


def _origins(catalogue: Catalogue[Any], name: str) -> str:
    """Return the origins of a name, of all stages of a chain."""
    found = (_origin(catalogue.plugin(part)) for part in catalogue.stages(name))
    return ", ".join(dict.fromkeys(found))


def _origin(plugin: Plugin) -> str:
    """Return the origin of a plugin for a report: its file, or its distribution and version."""
    return Path(plugin.file).name if plugin.distribution == "file" else plugin.release


def _is_file(target: str) -> bool:
    return target.endswith(".py")


def _everything(registry: Registry) -> Iterator[tuple[str, str]]:
    yield from ((noun, name) for noun in NOUNS for name in registry.catalogue(noun))


def _offered_by(registry: Registry, file: str) -> list[tuple[str, str]]:
    path = str(Path(file).resolve())
    found = [
        (noun, name)
        for noun, name in _everything(registry)
        if str(Path(registry.catalogue(noun).plugin(name).file).resolve()) == path
    ]
    if not found:
        raise UsageError(f"{file} offers no {', '.join(NOUNS)} by name; there is nothing to check")
    return found


def _named(registry: Registry, name: str) -> list[tuple[str, str]]:
    found = []
    reasons: list[Any] = []
    for noun in NOUNS:
        try:
            registry.catalogue(noun)[name]
        except DataNotFoundError:
            found.append((noun, name))
        except KeyError as error:
            reasons.append(error.args[0])
        else:
            found.append((noun, name))
    if not found:
        close = [reason for reason in reasons if "did you mean" in reason]
        known = f"{' and '.join(close)}" if close else f"there is nothing called {name!r}"
        if os.path.isdir(name):  # noqa: PTH112 - false for all that is no path, too
            known = f"{name} is a folder; name a plugin's file, as {Path(name) / 'FILE.py'}"
        raise UsageError(f"{known}; memgen-bench list shows what there is")
    return found
