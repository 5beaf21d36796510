"""Specifications of decoders whose classes are imported only when they are built."""

from __future__ import annotations

import pkgutil
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from memgen_bench import DecoderSpec

if TYPE_CHECKING:
    from memgen_bench import Need


def estimator(place: str, **parameters: Any) -> partial[Any]:
    """Return a function that builds an estimator.

    Args:
        place: `module:Class` within `memgen_plugins.decoders`.
        **parameters: Its parameters; functions that `estimator` returned are called first, also
            those that are named in a list of pairs.
    """
    return partial(_build, place, **parameters)


def _build(place: str, **parameters: Any) -> Any:
    made = {name: _made(value) for name, value in parameters.items()}
    return pkgutil.resolve_name(f"memgen_plugins.decoders.{place}")(**made)


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return [(name, build()) for name, build in value]
    return value() if isinstance(value, partial) else value


def decoder(
    name: str,
    build: partial[Any],
    summary: str,
    citation: str,
    *,
    needs: tuple[Need, ...] = (),
    scope: Literal["layer", "network", "training"] = "layer",
    version: int = 1,
    slow: bool = False,
    stochastic: bool = False,
    selects: bool = False,
    tried_on: Literal["points", "sums"] = "points",
) -> DecoderSpec:
    """Return the specification of a decoder that takes tensors."""
    return DecoderSpec(
        name=name,
        version=version,
        summary=summary,
        citation=citation,
        build=build,
        scope=scope,
        arrays="torch",
        needs=needs,
        slow=slow,
        stochastic=stochastic,
        selects=selects,
        tried_on=tried_on,
    )
