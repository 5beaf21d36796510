"""Parameters of a command that are made of several options; typer sees the options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter
from typing import Any


@dataclass(frozen=True)
class MadeOf:
    """Marks a parameter of a command that is made of several options.

    Attributes:
        make: Makes it of their values.
        options: Their annotations, by the names that `make` knows them by; none is required.
    """

    make: Callable[..., Any]
    options: Mapping[str, Any]

    @property
    def parameters(self) -> list[Parameter]:
        """The declaration that options are made of."""
        return [
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in self.options.items()
        ]

    def take(self, values: dict[str, Any]) -> Any:
        """Make the parameter of the options' values, which are taken out."""
        return self.make(**{name: values.pop(name) for name in self.options})


def unfold(command: Callable[..., None]) -> Callable[..., None]:
    """Let typer see options in the place of each parameter that is marked with `MadeOf`.

    Args:
        command: A command, which takes its parameters by name.
    """
    signature = inspect.signature(command, eval_str=True)
    marks = {name: _mark(parameter) for name, parameter in signature.parameters.items()}
    made = {name: mark for name, mark in marks.items() if mark}
    parameters = [
        each
        for name, parameter in signature.parameters.items()
        for each in (made[name].parameters if name in made else [parameter])
    ]

    @wraps(command)
    def unfolded(**values: Any) -> None:
        command(**{name: mark.take(values) for name, mark in made.items()}, **values)

    unfolded.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return unfolded


def _mark(parameter: Parameter) -> MadeOf | None:
    notes = getattr(parameter.annotation, "__metadata__", ())
    return next((note for note in notes if isinstance(note, MadeOf)), None)
