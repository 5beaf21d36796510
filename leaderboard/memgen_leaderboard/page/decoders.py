"""Method, source, inputs and cost of decoders, as their plugins tell them."""

from __future__ import annotations

import re
from contextlib import suppress
from inspect import cleandoc
from typing import TYPE_CHECKING

from memgen_bench.plugin.registry import load_registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memgen_bench.plugin.specs import DecoderSpec

_READS = {
    "layer": "one layer at a time",
    "network": "all layers of the network at once",
    "training": "nothing: it recalls an epoch of the training",
}
_SEES = {
    "validation": "noisy validation labels",
    "transition": "the noise, so that it is not ranked",
    "network": "the network itself",
    "neighbors": "nearest neighbours, which decoders share",
    "test": "test labels: an oracle, not ranked",
}


def about(names: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Return terms and texts on decoders by name; those that no plugin here offers are left out."""
    decoders = load_registry().decoders
    found = {}
    for name in names:
        with suppress(KeyError):
            found[name] = _terms(decoders[name])
    return found


def _terms(spec: DecoderSpec) -> list[tuple[str, str]]:
    told = {
        "method": spec.summary,
        "source": spec.citation,
        "reads": _READS[spec.scope],
        "sees": ", ".join(["activations, given labels", *(_SEES[need] for need in spec.needs)]),
        "cost": _section(type(spec.build()).__doc__ or "", "Cost"),
        "run by default": "no, with --slow" if spec.slow else "yes",
        "version": f"{spec.version}",
    }
    return [(term, text) for term, text in told.items() if text]


def _section(docstring: str, name: str) -> str:
    """Return the text of one section of a docstring in Google's style, as one line."""
    found = re.search(rf"^{name}:\n((?:(?:[ \t]+.*)?\n?)*)", cleandoc(docstring), re.MULTILINE)
    return " ".join(found[1].split()) if found else ""
