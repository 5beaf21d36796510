"""Functions of modules and classes, put back where others took their places."""

from __future__ import annotations

import sys
from functools import lru_cache
from types import ModuleType
from typing import Any

# Modules and classes whose functions are put back where others took their places.
_OWNERS = (
    *("builtins", "math", "os", "random", "time", "json", "copy", "pickle"),
    *("numpy", "numpy.linalg", "numpy.random", "scipy.linalg", "sklearn.base"),
    *("torch", "torch.Tensor", "torch.linalg", "torch.nn.Module", "torch.nn.functional"),
)
_OUR_PACKAGES = ("memgen_bench", "memgen_plugins")
_WATCHED = (
    *(f"memgen_bench.{room}" for room in ("compute", "data", "decode", "network", "plugin")),
    *("memgen_bench.errors", "memgen_bench.seeds", "memgen_bench.workers"),
    *("memgen_plugins", "memgen_plugin_file_"),
)
_SCIENTIFIC = ("numpy", "scipy", "sklearn", "torch")

# The names that the outermost of the calls that are being made found in each module and class.
_known: dict[int, dict[str, Any]] = {}
_latest: list[Any] = []  # the modules and classes of the latest call, and their names


@lru_cache(maxsize=1)
def watched_owners(_: int) -> list[Any]:
    """Return the modules and classes whose functions are watched, of those that are imported.

    They are our own, those of plugin files, and what these use of other packages.
    """
    found = {id(each): each for name in _OWNERS if (each := _find(name)) is not None}
    for name, module in list(sys.modules.items()):
        if name.startswith(_WATCHED):
            used = (each for each in vars(module).values() if _is_theirs(each, name))
            found |= {id(each): each for each in (module, *used)}
    return list(found.values())


def _is_theirs(value: Any, module: str) -> bool:
    """Whether it is a class that a module defines, or a class or module of scientific Python."""
    if isinstance(value, ModuleType):
        return value.__name__.startswith(_SCIENTIFIC)
    heap_type = 1 << 9  # a class that was made by a class statement
    if not (isinstance(value, type) and value.__flags__ & heap_type):
        return False
    return value.__module__ == module or value.__module__.startswith(_SCIENTIFIC)


def _find(name: str) -> Any:
    """Return an imported module, or a class of one."""
    parent, _, last = name.rpartition(".")
    return sys.modules.get(name) or getattr(sys.modules.get(parent), last, None)


def names_in(owners: list[Any]) -> list[dict[str, Any]]:
    """Return the names in modules and classes; within another call, those from before it."""
    if not _latest or _latest[0] is not owners:
        for owner in owners:
            if id(owner) not in _known:
                _known[id(owner)] = vars(owner).copy()
        _latest[:] = owners, [_known[id(owner)] for owner in owners]
    names: list[dict[str, Any]] = _latest[1]
    return names


def forget_names() -> None:
    """Forget all names that were found: no call is being made any more."""
    _known.clear()
    _latest.clear()


def put_back(owners: list[Any], names: list[dict[str, Any]], restored: list[str]) -> None:
    """Put functions back in modules and classes, and add the names of these functions to a list."""
    if not _equal(list(map(vars, owners)), names):
        for owner, before in zip(owners, names, strict=True):
            _put_back_in(owner, before, restored)


def _put_back_in(owner: Any, before: dict[str, Any], restored: list[str]) -> None:
    """Put functions back that others took the places of, and in our own modules all names."""
    now = vars(owner)
    if _equal(now, before):
        return
    name_of_owner = getattr(owner, "__qualname__", owner.__name__)
    ours = getattr(owner, "__module__", owner.__name__).partition(".")[0] in _OUR_PACKAGES
    for name, value in before.items():
        if now.get(name) is not value and (ours or callable(value)):
            setattr(owner, name, value)
            restored.append(f"{name_of_owner}.{name}")
    if isinstance(owner, type):  # a new method hides one of a base class
        for name in now.keys() - before.keys():
            if callable(now[name]) and not name.startswith("__"):
                delattr(owner, name)
                restored.append(f"{name_of_owner}.{name}")


def _equal(first: Any, second: Any) -> bool:
    try:
        return bool(first == second)
    except Exception:  # what differs cannot be compared
        return False
