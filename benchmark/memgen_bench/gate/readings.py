"""Readings of fixtures: one for each decoder, draw of labels and layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from memgen_bench import seeds
from memgen_bench.decode.decoding import Activations, Extras, Outcome
from memgen_bench.decode.shared_activations import SharedActivations, share_points
from memgen_bench.plugin.parameters import built_parameters
from memgen_bench.protocol import ALL_LAYERS, INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from memgen_bench.arrays import LabelVector
    from memgen_bench.fixtures.fixture import Fixture
    from memgen_bench.plugin.specs import DecoderSpec

CPU = torch.device("cpu")
_NO_NETWORK = "needs the network itself or its training, which a fixture does not hold"


@dataclass(frozen=True, kw_only=True)
class FixtureReading:
    """The predictions of a decoder on one layer of a fixture.

    Attributes:
        decoder: The decoder's name.
        version: The version of the decoder's specification.
        params: The decoder's parameters, as JSON.
        fixture: The fixture's name.
        draw: The index of the draw of labels.
        layer: The layer; `*` for scope `network`.
        status: `ok`, `skipped` or `failed`.
        message: Why it is not ok, or its first warning.
        predicted: Labels of the test points; None where it is not ok.
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
        specs: The decoders; those that need the network or its trajectory are skipped.
        fixtures: The fixtures to fit them on.
    """
    of_layers = [spec for spec in specs if spec.scope == "layer"]
    of_networks = [spec for spec in specs if spec.scope != "layer"]
    for fixture in fixtures:
        for draw in range(len(fixture.given)):
            for layer in fixture.layers:
                share = partial(_share_layer, fixture, draw, layer)
                yield from _read(of_layers, fixture, draw, layer, share)
            share = partial(_share_network, fixture)
            yield from _read(of_networks, fixture, draw, ALL_LAYERS, share)


def _read(
    specs: Sequence[DecoderSpec],
    fixture: Fixture,
    draw: int,
    layer: str,
    share: Callable[[], SharedActivations],
) -> Iterator[FixtureReading]:
    """Yield the readings of decoders; activations that one of them spoilt are made anew."""
    if not specs:
        return
    shared = share()
    for spec in specs:
        outcome = _outcome(spec, fixture, draw, shared)
        yield _reading(spec, fixture, draw, layer, outcome)
        if outcome.spoilt:
            shared = share()


def _share_layer(fixture: Fixture, draw: int, layer: str) -> SharedActivations:
    train, validation, test = fixture.points(layer)
    activations = Activations(train=train, sample=train[:0], validation=validation, test=test)
    return share_points(activations, fixture.labels(draw)[0], CPU)


def _share_network(fixture: Fixture) -> SharedActivations:
    """Share the activations of all of the network's own layers."""
    layers = {name: fixture.points(name) for name in fixture.layers if name != INPUT}
    train, validation, test = (
        {name: subsets[place] for name, subsets in layers.items()} for place in range(3)
    )
    nothing = {name: matrix[:0] for name, matrix in train.items()}
    return SharedActivations(
        activations=Activations(train=train, sample=nothing, validation=validation, test=test)
    )


def _outcome(spec: DecoderSpec, fixture: Fixture, draw: int, shared: SharedActivations) -> Outcome:
    if {"network", "trajectory"} & set(spec.needs) or spec.scope == "training":
        return Outcome(status="skipped", message=_NO_NETWORK)
    labels, validation_labels = fixture.labels(draw)
    extras = Extras(
        validation_labels=validation_labels,
        transition=fixture.transition,
        module=nn.Identity(),
        seed=seeds.integer(fixture.about["seed"], "decoder"),
        device=CPU,
    )
    return shared.outcome(spec, labels, extras, fixture.num_classes)


def _reading(
    spec: DecoderSpec, fixture: Fixture, draw: int, layer: str, outcome: Outcome
) -> FixtureReading:
    what: dict[str, Any] = {
        "decoder": spec.name,
        "version": spec.version,
        "params": built_parameters(spec),
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
