"""Axes and sizes of a suite, said once: `run` takes them as keywords, verbs as options."""

import difflib
import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Annotated, Any, TypedDict, TypeVar, cast, get_type_hints

F = TypeVar("F", bound=Callable[..., Any])


class Axes(TypedDict, total=False):
    """Lists of values that a suite crosses.

    Data sets that are named must be on disk. Noise, init and order seeds are crossed with `seeds`,
    which they are by default.
    """

    models: Annotated[Sequence[str] | None, "A model"]
    datasets: Annotated[Sequence[str] | None, "A data set"]
    decoders: Annotated[Sequence[str] | None, "A decoder"]
    noises: Annotated[Sequence[str] | None, "A noise"]
    rates: Annotated[Sequence[float] | None, "A shuffle rate in [0, 1]"]
    seeds: Annotated[Sequence[int] | None, "A seed"]
    kinds: Annotated[Sequence[str] | None, "memorized, clean, untrained, random or features"]
    features: Annotated[Sequence[str] | None, "Label-free features of the images"]
    labels: Annotated[Sequence[str] | None, "corrupted or true"]
    fitted_on: Annotated[Sequence[str] | None, "training, held_out or both"]
    noise_seeds: Annotated[Sequence[int] | None, "A noise seed"]
    init_seeds: Annotated[Sequence[int] | None, "An initialisation seed"]
    order_seeds: Annotated[Sequence[int] | None, "A data-order seed"]


class Sizes(TypedDict, total=False):
    """Sizes that hold for a whole suite."""

    train_size: Annotated[int | None, "The most training images to use"]
    test_size: Annotated[int | None, "The most test images to use"]
    validation_fraction: Annotated[float | None, "Share of the training images to set aside"]
    held_out_fraction: Annotated[float | None, "Share that the network never sees"]
    max_layer_dim: Annotated[int | None, "Pool maps that are wider than this; 0: none"]


class Changes(Axes, Sizes):
    """Values that replace a suite's; a key that is missing, or None, leaves the suite as it is."""


CHANGES = get_type_hints(Changes, include_extras=True)


def takes_changes(function: F) -> F:
    """Show the keys of `Changes` in a function's signature; other keywords get one clear line."""
    signature = inspect.signature(function)
    parameters = {
        name: parameter
        for name, parameter in signature.parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    for name, hint in CHANGES.items():
        parameters[name] = inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint
        )

    @wraps(function)
    def checked(*args: Any, **keywords: Any) -> Any:
        for name in keywords:
            if name not in parameters:
                raise TypeError(f"{function.__name__}() {_unknown(name, parameters)}")
        return function(*args, **keywords)

    checked.__signature__ = signature.replace(  # type: ignore[attr-defined] # inspect reads it
        parameters=list(parameters.values())
    )
    return cast("F", checked)


def _unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(known)}"
    return f"got an unexpected keyword argument {name!r}; {hint}"
