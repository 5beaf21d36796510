"""Decoders on fixtures: one reading for each decoder, draw of labels and layer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from memgen_bench import seeds
from memgen_bench.compute import as_tensor
from memgen_bench.decode import decoding
from memgen_bench.decode.decoding import Activations, Extras, Outcome
from memgen_bench.decode.moments import moments_of
from memgen_bench.decode.neighbors import Neighbors
from memgen_bench.plugin.parameters import parameters
from memgen_bench.protocol import ALL_LAYERS, INPUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from memgen_bench.arrays import LabelVector
    from memgen_bench.decode.moments import Moments
    from memgen_bench.fixtures.fixture import Fixture
    from memgen_bench.plugin.specs import DecoderSpec

CPU = torch.device("cpu")
_NO_NETWORK = "needs the network itself, which a fixture does not hold"


@dataclass(frozen=True, kw_only=True)
class FixtureReading:
    """What a decoder made of one layer of a fixture.

    Attributes:
        decoder: Its name.
        version: Its specification's version.
        params: Its parameters, as JSON.
        fixture: The fixture's name.
        draw: Which of its draws of labels.
        layer: The layer; `*` for scope `network`.
        status: `ok`, `skipped` or `failed`.
        message: Why it is not ok, or its first warning.
        predicted: LabelVector of the test points; None where it is not ok.
        test_accuracy: Share of them that are the true ones.
        validation_accuracy: Share of the validation points' noisy labels that were predicted.
    """

    decoder: str
    version: int
    params: str
    fixture: str
    draw: int
    layer: str
    status: str
    message: str | None = None
    predicted: LabelVector | None = None
    test_accuracy: float | None = None
    validation_accuracy: float | None = None


def read_fixtures(
    specs: Sequence[DecoderSpec], fixtures: Iterable[Fixture]
) -> Iterator[FixtureReading]:
    """Yield the readings of decoders on fixtures, in this process and on its threads.

    Args:
        specs: The decoders; those that ask for the network itself are skipped.
        fixtures: What they are fitted on.
    """
    for fixture in fixtures:
        for draw in range(len(fixture.given)):
            for layer in fixture.layers:
                yield from _read_layer(specs, fixture, draw, layer)
            yield from _read_network(specs, fixture, draw)


def _read_layer(
    specs: Sequence[DecoderSpec], fixture: Fixture, draw: int, layer: str
) -> Iterator[FixtureReading]:
    shared = _Shared(fixture, draw, layer)
    for spec in specs:
        if spec.scope == "layer":
            outcome = _outcome(spec, fixture, draw, shared.parts, shared.given_to(spec))
            yield _reading(spec, fixture, draw, layer, outcome)


def _read_network(
    specs: Sequence[DecoderSpec], fixture: Fixture, draw: int
) -> Iterator[FixtureReading]:
    asked = [spec for spec in specs if spec.scope != "layer"]
    if not asked:
        return
    layers = {name: fixture.points(name) for name in fixture.layers if name != INPUT}
    train, validation, test = (
        {name: parts[place] for name, parts in layers.items()} for place in range(3)
    )
    nothing = {name: matrix[:0] for name, matrix in train.items()}
    parts = Activations(train=train, sample=nothing, validation=validation, test=test)
    for spec in asked:
        yield _reading(spec, fixture, draw, ALL_LAYERS, _outcome(spec, fixture, draw, parts, {}))


class _Shared:
    """What decoders of one layer and draw share, so that it is computed once."""

    def __init__(self, fixture: Fixture, draw: int, layer: str) -> None:
        train, validation, test = fixture.points(layer)
        self._train, self._labels = train, fixture.labels(draw)[0]
        self.parts = Activations(train=train, sample=train[:0], validation=validation, test=test)

    @cached_property
    def _moments(self) -> Moments:
        return moments_of(as_tensor(self._train), self._labels)

    @cached_property
    def _neighbors(self) -> Neighbors:
        return Neighbors(self._train, [self.parts.validation, self.parts.test], device=CPU)

    def given_to(self, spec: DecoderSpec) -> dict[str, Any]:
        """Return what of it a decoder uses."""
        try:
            from_moments = hasattr(spec.build(), "fit_moments")
        except Exception:  # its reading will fail, and say why
            from_moments = False
        moments = self._moments.for_decoder() if from_moments else None
        asks = "neighbors" in spec.needs
        return {"moments": moments, "neighbors": self._neighbors.for_decoder() if asks else None}


def _outcome(
    spec: DecoderSpec, fixture: Fixture, draw: int, parts: Activations, shared: dict[str, Any]
) -> Outcome:
    if "network" in spec.needs or spec.scope == "training":
        return Outcome(status="skipped", message=_NO_NETWORK)
    labels, validation_labels = fixture.labels(draw)
    extras = Extras(
        validation_labels=validation_labels,
        transition=fixture.transition,
        module=nn.Identity(),
        seed=seeds.integer(fixture.about["seed"], "decoder"),
        device=CPU,
        **shared,
    )
    try:
        return decoding.decode(spec, parts, labels, extras, fixture.num_classes)
    except decoding.InputChanged:
        return decoding.failure(decoding.CHANGED, "error")


def _reading(
    spec: DecoderSpec, fixture: Fixture, draw: int, layer: str, outcome: Outcome
) -> FixtureReading:
    what: dict[str, Any] = {
        "decoder": spec.name,
        "version": spec.version,
        "params": _params(spec),
        "fixture": fixture.name,
        "draw": draw,
        "layer": layer,
        "status": outcome.status,
        "message": outcome.message,
    }
    if (found := outcome.predictions) is None:
        return FixtureReading(**what)
    noisy = fixture.labels(draw)[1]
    return FixtureReading(
        **what,
        predicted=found.test,
        test_accuracy=float(np.mean(found.test == fixture.test_labels)),
        validation_accuracy=float(np.mean(found.validation == noisy)) if len(noisy) else None,
    )


def _params(spec: DecoderSpec) -> str:
    try:
        return json.dumps(parameters(spec.build()), sort_keys=True)
    except Exception:  # its reading has failed, and says why
        return "null"
