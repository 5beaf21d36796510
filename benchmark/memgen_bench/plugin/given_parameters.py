"""Parameters in a decoder's name: `knn-5[n_neighbors=20]` is `knn-5` with another parameter."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from memgen_bench.errors import UsageError, one_line, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memgen_bench.plugin.specs import DecoderSpec

Parameters = tuple[tuple[str, str | int | float | bool | None], ...]

_NAME = re.compile(r"(?P<base>[^\[\]]+)\[(?P<given>[^\[\]]*)\]")
_ITEM = re.compile(r"\s*(?P<key>[A-Za-z_]\w*)\s*=\s*(?P<value>[\w.+-]+)\s*")
_WORDS = {"True": True, "False": False, "true": True, "false": False, "None": None}


def split(name: str) -> tuple[str, Parameters]:
    """Split a name into that of a decoder and its parameters, sorted; none without brackets.

    Values are numbers, `true`, `false`, `None`, or words.

    Raises:
        KeyError: The brackets are not of the form `[name=value,name=value]`.

    Examples:
        >>> split("knn-5[n_neighbors=20]")
        ('knn-5', (('n_neighbors', 20),))
    """
    if "[" not in name and "]" not in name:
        return name, ()
    whole = _NAME.fullmatch(name)
    items = [_ITEM.fullmatch(item) for item in whole["given"].split(",")] if whole else [None]
    found = {item["key"]: _value(item["value"]) for item in items if item}
    if whole is None or len(found) != len(items):
        raise KeyError(
            f"{name!r}: parameters are written as knn-5[n_neighbors=20] or "
            "rda-50[pooling=0.2,shrinkage=0.1], each once"
        )
    return whole["base"], tuple(sorted(found.items()))


def _value(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, int | float) else text


def joined(base: str, given: Parameters) -> str:
    """Return the one name of a decoder with parameters: they are sorted, numbers short.

    Examples:
        >>> joined("ridge", (("alpha", 0.1),))
        'ridge[alpha=0.1]'
    """
    return f"{base}[{','.join(f'{key}={value}' for key, value in given)}]" if given else base


def with_parameters(spec: DecoderSpec, given: Parameters) -> DecoderSpec:
    """Return the specification of a decoder with some parameters set.

    Names and values are checked when it is built, since what builds it may be slow to import.
    """
    return replace(
        spec,
        name=joined(spec.name, given),
        summary=f"{spec.summary}, with {', '.join(f'{key} = {value}' for key, value in given)}",
        build=partial(_build, spec.build, spec.name, given),
    )


def _build(build: Callable[[], Any], name: str, given: Parameters) -> Any:
    """Build a decoder and set the parameters given.

    Raises:
        UsageError: It has no such parameter, or does not take such a value.
    """
    built = build()
    defaults = built.get_params() if hasattr(built, "get_params") else {}
    for key, value in given:
        if key not in defaults or not hasattr(built, "set_params"):
            there = f"it has {', '.join(sorted(defaults))}" if defaults else "it has none"
            raise UsageError(f"decoder {name}: there is no parameter {key!r}; {there}")
        if not _is_constrained(key, built, defaults) and not _is_like(value, defaults[key]):
            raise UsageError(
                f"decoder {name}: {key}={value} is not of the type of its default, "
                f"{one_line(repr(defaults[key]))}"
            )
    try:
        built.set_params(**dict(given))
        for part in (built, *built.get_params().values()):
            if hasattr(part, "_parameter_constraints"):
                part._validate_params()
    except Exception as error:
        raise UsageError(f"decoder {joined(name, given)}: {one_line(text_of(error))}") from None
    return built


def _is_constrained(key: str, built: Any, defaults: Mapping[str, Any]) -> bool:
    """Tell whether a decoder says itself which values a parameter takes, as scikit-learn's do."""
    owner, _, own = key.rpartition("__")
    part = defaults[owner] if owner else built
    return own in getattr(part, "_parameter_constraints", {})


def _is_like(value: object, default: object) -> bool:
    """Tell whether a value may stand for a default: it has its type, or is whole for a float."""
    if default is None:
        return True
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
