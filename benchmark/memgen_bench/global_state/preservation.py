"""Preservation: the global state is saved before a plugin is called, and restored afterwards."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from memgen_bench.global_state.left_running import count_running, still_running
from memgen_bench.global_state.module_settings import random_streams, settings_of_modules
from memgen_bench.global_state.process_settings import settings_of_process
from memgen_bench.global_state.replaced_functions import (
    forget_names,
    names_in,
    put_back,
    watched_owners,
)
from memgen_bench.global_state.setting import Setting, value_of, values_of
from memgen_bench.global_state.torch_settings import settings_of_torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COMPOSES, _SPECIFIES = "memgen_bench.plugin.composition", "memgen_bench.plugin.specs"


@dataclass(eq=False)
class Changes:
    """The parts of the global state that were changed.

    Attributes:
        restored: Names of those that are as before again.
        lasting: Names of those that are not: another process should go on.
    """

    restored: list[str] = field(default_factory=list)
    lasting: list[str] = field(default_factory=list)


# What was changed in this process for good.
lasting_changes: set[str] = set()
_told: list[Changes] = []  # of all calls that are being made, the outermost first


@contextmanager
def preserved(changes: Changes | None = None) -> Iterator[Changes]:
    """Run calls of a plugin, and restore the global state afterwards, also after an error.

    Args:
        changes: Is told the changes in the end, also those within that were restored within; a new
            object by default.

    Returns:
        The changes, which are known in the end.
    """
    changes = changes or Changes()
    imported = len(sys.modules)
    settings, owners = _settings(imported), watched_owners(imported)
    values, names = values_of(settings), names_in(owners)
    streams = [(put, get()) for get, put in random_streams()]
    running = count_running()
    _told.append(changes)
    try:
        with warnings.catch_warnings():
            yield changes
    finally:
        put_back(owners, names, changes.restored)
        if values_of(settings) != values:
            for setting, value in zip(settings, values, strict=True):
                _restore(setting, value, changes)
        for put, state in streams:
            put(state)
        changes.lasting += still_running(running)
        lasting_changes.update(changes.lasting)
        _told.remove(changes)
        if _told:
            _told[-1].restored += changes.restored
            _told[-1].lasting += changes.lasting
        else:
            forget_names()


@lru_cache(maxsize=1)
def _settings(_: int) -> list[Setting]:
    """Return the settings, in the order of restoring, with this number of modules imported."""
    found = [*settings_of_modules(), *settings_of_process()]
    if torch := sys.modules.get("torch"):
        found += settings_of_torch(torch)
    return found


def _restore(setting: Setting, before: Any, changes: Changes) -> None:
    if value_of(setting) == before:
        return
    if setting.restore is not None:
        with suppress(Exception):
            setting.restore(before)
    fine = value_of(setting) == before
    (changes.restored if fine else changes.lasting).append(setting.name)


def is_checked(build: Callable[..., Any]) -> bool:
    """Whether a function builds a plugin that ships, with plain arguments if any, or a row of them.

    The contract of these is tested here: they leave the process and what they are lent alone, and
    need not be watched.
    """
    if isinstance(build, partial):
        return is_checked(build.func) and _is_plain(build.args) and _is_plain(build.keywords)
    module = str(getattr(build, "__module__", ""))
    return module.startswith("memgen_plugins.") or module == _COMPOSES


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    if type(value).__module__ == _SPECIFIES:
        return is_checked(getattr(value, "build", None))  # type: ignore[arg-type]
    return isinstance(value, str | int | float | None) or is_checked(value)
