"""A setting: a part of the global state that is told and, where it can be, set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Setting(NamedTuple):
    """A part of the global state; `restore` is None where it cannot be set."""

    name: str
    value: Callable[[], Any]
    restore: Callable[[Any], Any] | None = None


def values_of(settings: list[Setting]) -> list[Any]:
    """Return the values of settings, in their order; see `value_of`."""
    try:
        return [setting.value() for setting in settings]
    except Exception:  # it is of a value, too
        return list(map(value_of, settings))


def value_of(setting: Setting) -> Any:
    """Return the value of a setting; the type of an error stands for one that cannot be told."""
    try:
        return setting.value()
    except Exception as error:
        return type(error)
