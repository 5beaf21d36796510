"""Composed decoders.

In `a>b`, a relabels the training points and b is fitted on these labels, or a selects points and b
is fitted on these; in `a|f`, a is fitted on the label-free features f beside a layer's activations;
`a@both` is a, fitted on training and held-out points.
"""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast, get_args

from memgen_bench.plugin.specs import DecoderSpec, FittedOn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_bench.plugin.specs import Need

ARROW, BESIDE, AT = ">", "|", "@"
_SOURCE = "self-training on own labels: Yarowsky 1995; Tanaka et al. 2018, arXiv 1803.11364"


def compose(name: str, specs: Sequence[DecoderSpec]) -> DecoderSpec:
    """Return the specification of a decoder composed of several.

    It has the needs of all its decoders together, and is told the noise, slow or stochastic if one
    of them is. Its version rises with each of theirs.

    Args:
        name: The name of the composed decoder.
        specs: Two or more decoders of scope `layer`, in the order in which they are fitted.

    Raises:
        KeyError: A decoder has another scope, or two that select points follow each other.
    """
    for spec in specs:
        if spec.scope != "layer":
            raise KeyError(
                f"{name!r}: {spec.name!r} has scope {spec.scope!r}; only decoders of one layer "
                "can stand in a row"
            )
    for one, other in pairwise(specs):
        if one.selects and other.selects:
            raise KeyError(
                f"{name!r}: both {one.name!r} and {other.name!r} select points; take one"
            )
    return DecoderSpec(
        name=name,
        version=sum(spec.version for spec in specs),
        summary=_summary(specs),
        citation=_SOURCE if not specs[0].selects else specs[0].citation,
        build=partial(_build, tuple(specs)),
        arrays="torch" if all(spec.arrays == "torch" for spec in specs) else "numpy",
        needs=_needs(specs),
        slow=any(spec.slow for spec in specs),
        stochastic=any(spec.stochastic for spec in specs),
    )


def split_points(name: str) -> tuple[str, FittedOn | None]:
    """Split a name into that of a decoder and the points that it is fitted on, None without any.

    Raises:
        KeyError: There are no such points.

    Examples:
        >>> split_points("lda-shrunk@held-out")
        ('lda-shrunk', 'held_out')
    """
    decoder, at, points = name.rpartition(AT)
    if not at:
        return name, None
    known = {each.replace("_", "-"): each for each in get_args(FittedOn)}
    if (found := known.get(points.replace("_", "-"))) is None or AT in decoder:
        raise KeyError(f"{name!r}: the points after {AT} are {', '.join(known)}, once and last")
    return decoder, cast("FittedOn", found)


def fitted_on(spec: DecoderSpec, points: FittedOn) -> DecoderSpec:
    """Return the specification of a decoder that is fitted on these points, whatever a suite says.

    It keeps its name: in results the points have a column of their own.

    Raises:
        KeyError: The decoder is fitted on nothing.
    """
    if spec.scope == "training":
        raise KeyError(f"{spec.name!r} reads epochs of a training: it is fitted on no points")
    return replace(spec, fitted_on=points)


def beside(name: str, spec: DecoderSpec, features: str) -> DecoderSpec:
    """Return the specification of a decoder that gets features of the images beside each layer.

    Its accuracy minus that on the features alone is the conditional gain of the layer.

    Args:
        name: The name of the new decoder.
        spec: A decoder of scope `layer` that does not need `neighbors`.
        features: The name of the label-free features.

    Raises:
        KeyError: The decoder has another scope, needs `neighbors`, or has features beside layers.
    """
    if spec.beside:
        raise KeyError(f"{name!r}: features stand beside a layer once, and {spec.beside!r} do")
    if spec.scope != "layer" or "neighbors" in spec.needs:
        raise KeyError(
            f"{name!r}: {spec.name!r} cannot be fitted on {features!r} beside a layer; that takes "
            "a decoder of one layer that needs no neighbours"
        )
    return replace(
        spec,
        name=name,
        summary=f"{spec.name} on a layer and {features} of the images together",
        citation="conditional probing: Hewitt et al. 2021, arXiv 2109.09234",
        beside=features,
    )


def _summary(specs: Sequence[DecoderSpec]) -> str:
    *before, last = specs
    points = f"points that {before[-1].name} selects" if before[-1].selects else "training points"
    relabelling = [spec.name for spec in before if not spec.selects]
    if not relabelling:
        return f"{last.name} on the {points}"
    return f"{last.name} on the labels that {', then '.join(relabelling)} gives the {points}"


def _needs(specs: Sequence[DecoderSpec]) -> tuple[Need, ...]:
    """Return the needs of all; a search among all points is of no use among selected ones."""
    found: dict[Need, None] = {}
    for place, spec in enumerate(specs):
        on_selected = place > 0 and specs[place - 1].selects
        found |= {need: None for need in spec.needs if not (on_selected and need == "neighbors")}
    return tuple(found)


def _build(specs: tuple[DecoderSpec, ...]) -> Any:
    relabelled = pkgutil.resolve_name("memgen_bench.decode.relabelling:Relabelled")
    stages: list[Any] = []
    for spec in reversed(specs):
        stage: Any = spec.build()
        if spec.selects and stages:
            stage.set_params(estimator=stages.pop())
        stages.append(stage)
    built, *others = reversed(stages)
    for other in others:
        built = relabelled(built, other)
    return built
