"""Reading a network: its layers' activations, once, and what every decoder makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench import seeds
from memgen_bench.compute import as_tensor, blocks
from memgen_bench.decode import decoding
from memgen_bench.decode.activations import extract, stream
from memgen_bench.decode.decoding import Activations, Extras, InputChanged, Outcome, Predictions
from memgen_bench.decode.moments import Labelling
from memgen_bench.decode.scratch import Scratch
from memgen_bench.decode.training_points import TrainingPoints
from memgen_bench.plugin.training_record import TrainingRecord
from memgen_bench.protocol import ALL_LAYERS, INPUT

_NOT_FINITE = "activations are not finite"

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from memgen_bench.arrays import Matrix
    from memgen_bench.data.planned_data import PlannedData
    from memgen_bench.decode.moments import Moments
    from memgen_bench.decode.neighbors import Neighbors
    from memgen_bench.decode.training_points import Labellings
    from memgen_bench.plan.plan import Draw, Layer, PlannedNetwork, Reading
    from memgen_bench.plugin.specs import DecoderSpec


@dataclass(frozen=True)
class _Unit:
    """Readings of one layer that share a draw; what is computed together at the least."""

    layer: Layer
    draw: Draw | None
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class _Kind:
    """A decoder's specification, and whether it is fitted from moments."""

    spec: DecoderSpec
    from_moments: bool

    @classmethod
    def of(cls, spec: DecoderSpec) -> _Kind:
        try:
            from_moments = spec.scope == "layer" and hasattr(spec.build(), "fit_moments")
        except Exception:  # its readings will fail, and say why
            from_moments = False
        return cls(spec, from_moments)


class _Activations:
    """What was read of one layer."""

    def __init__(self, train: TrainingPoints, validation: Matrix, test: Matrix) -> None:
        self.train, self.validation, self.test = train, validation, test
        self._moments: tuple[object, Moments] | None = None

    @cached_property
    def finite(self) -> bool:
        """Whether every activation is a number."""
        return self.train.finite and all(_finite(part) for part in (self.validation, self.test))

    @cached_property
    def parts(self) -> Activations:
        """What decoders get."""
        return Activations(
            train=self.train.points,
            sample=self.train.sample(),
            validation=self.validation,
            test=self.test,
        )

    @cached_property
    def neighbors(self) -> Neighbors:
        """A search that all decoders share."""
        return self.train.neighbors([self.train.sample(), self.validation, self.test])

    def moments(self, draw: Draw | None, labels: str) -> Moments:
        """Return moments for one decoder; those of one labelling at a time are kept."""
        if self._moments is None or self._moments[0] != (draw, labels):
            self._moments = None
            self._moments = (draw, labels), self.train.moments(draw, labels)
        return self._moments[1].for_decoder()


def _nobody(_: str) -> None:
    """Nobody wants to know what is computed next."""


class Reader:
    """Reads a network's layers and lets decoders loose on them.

    All layers are read in one pass over the images where the budget allows it, in several where
    it does not, and layers that are larger than the budget go to memory-mapped files: that
    changes no number.

    Args:
        network: What is planned.
        data: Its data.
        module: The network, on `device`.
        device: Where to compute.
        memory: Bytes for activations and moments.
        record: What happened while it was trained; nothing for an untrained one.
    """

    def __init__(
        self,
        network: PlannedNetwork,
        data: PlannedData,
        module: nn.Module,
        device: torch.device,
        memory: int,
        record: TrainingRecord | None = None,
    ) -> None:
        self._network, self._data, self._module = network, data, module
        self._device, self._memory = device, memory
        self._record = record or TrainingRecord()
        self._scratch = Scratch(memory)
        self._kinds: dict[str, _Kind] = {}

    def outcomes(
        self, readings: Sequence[Reading], started: Callable[[str], None] = _nobody
    ) -> Iterator[tuple[Reading, Outcome]]:
        """Yield the outcome of each reading, layer by layer.

        Args:
            readings: What to compute.
            started: Called with a reading's key before it is computed, and with nothing before a
                pass over the images.
        """
        for group in self._groups(self._units(readings)):
            started("")
            found = self._read(group)
            for i, unit in enumerate(group):
                for reading in unit.readings:
                    started(reading.key)
                    try:
                        yield reading, self._outcome(reading, found[unit.layer.name])
                    except InputChanged:
                        yield reading, decoding.failure(decoding.CHANGED, "error")
                        found |= self._read([each for each in group if each.layer == unit.layer])
                if unit.layer not in (later.layer for later in group[i + 1 :]):
                    del found[unit.layer.name]
        everything = [reading for reading in readings if reading.layer == ALL_LAYERS]
        recalled = [reading for reading in everything if self._scope(reading) == "training"]
        yield from ((reading, self._recall(reading)) for reading in recalled)
        together = [reading for reading in everything if reading not in recalled]
        if together:
            started("")
            yield from self._network_scope(together, started)

    def _recall(self, reading: Reading) -> Outcome:
        """Return what the network predicted in an epoch, if it was trained on these labels."""
        kind, what = self._kind(reading), reading.decoding
        assert kind is not None  # the readout has a layer
        if self._network.kind == "untrained":
            return Outcome(status="skipped", message="the network has no training")
        if what.draw != self._network.draw or (what.labels == "true" and what.draw):
            return Outcome(status="skipped", message="the network was trained on other labels")
        return decoding.recall(kind.spec, self._record, self._data.test_places)

    def _units(self, readings: Sequence[Reading]) -> list[_Unit]:
        """Return the units of scope `layer`, in the order of layers and draws."""
        units: dict[tuple[str, Draw | None], list[Reading]] = {}
        for layer in self._network.layers:
            for reading in readings:
                if reading.layer == layer.name:
                    units.setdefault((layer.name, reading.decoding.draw), []).append(reading)
        layers = {layer.name: layer for layer in self._network.layers}
        return [
            # One label vector after the other: only one's moments are in memory.
            _Unit(layers[name], draw, tuple(sorted(of, key=lambda r: r.decoding.labels or "")))
            for (name, draw), of in units.items()
        ]

    def _groups(self, units: Sequence[_Unit]) -> Iterator[list[_Unit]]:
        """Yield units that are read in one pass: as many as fit the budget, but at least one."""
        group: list[_Unit] = []
        for unit in units:
            if group and self._bytes([*group, unit]) > self._memory:
                yield group
                group = []
            group.append(unit)
        if group:
            yield group

    def _bytes(self, group: Sequence[_Unit]) -> int:
        """Return the memory that a pass takes where nothing goes to files."""
        total = 0
        sizes = [len(part.true) for part in (self._data.validation, self._data.test)]
        for layer, units in _by_layer(group).items():
            total += TrainingPoints.bytes(
                layer,
                count=len(self._data.train.true),
                num_classes=self._data.num_classes,
                stored=self._stored(units),
                labellings=self._labellings(units),
            )
            total += 4 * layer.dim * (sum(sizes) + len(self._data.sample))
        return total

    def _read(self, group: Sequence[_Unit]) -> dict[str, _Activations]:
        """Pass all images through the network once."""
        data = self._data
        layers = _by_layer(group)
        training = {
            layer.name: TrainingPoints(
                layer,
                count=len(data.train.true),
                sample=data.sample,
                num_classes=data.num_classes,
                stored=self._stored(units),
                labellings=self._labellings(units),
                device=self._device,
                scratch=self._scratch,
            )
            for layer, units in layers.items()
        }
        for batch in stream(self._module, data.train.x, list(layers), device=self._device):
            for name, rows in batch.items():
                training[name].add(rows)
        validation, test = (
            extract(self._module, part.x, list(layers), device=self._device, scratch=self._scratch)
            for part in (data.validation, data.test)
        )
        return {
            name: _Activations(points, validation[name], test[name])
            for name, points in training.items()
        }

    def _outcome(self, reading: Reading, found: _Activations) -> Outcome:
        kind = self._kind(reading)
        if kind is None:
            return _readout(found.parts)
        if not found.finite:
            return decoding.failure(_NOT_FINITE, "nan")
        what = reading.decoding
        labels, neighbors = str(what.labels), "neighbors" in kind.spec.needs
        return self._decode(
            kind.spec,
            reading,
            found.parts,
            moments=found.moments(what.draw, labels) if kind.from_moments else None,
            neighbors=found.neighbors.for_decoder() if neighbors else None,
        )

    def _decode(
        self,
        spec: DecoderSpec,
        reading: Reading,
        parts: Activations,
        *,
        moments: Moments | None = None,
        neighbors: Neighbors | None = None,
    ) -> Outcome:
        what, data = reading.decoding, self._data
        labels, true = data.labels(what.draw), what.labels == "true"
        return decoding.decode(
            spec,
            parts,
            data.train.true if true else labels.train.labels,
            Extras(
                validation_labels=labels.validation.labels,
                transition=np.eye(data.num_classes) if true else labels.transition,
                module=self._module,
                seed=seeds.integer(self._network.seed, "decoder"),
                device=self._device,
                moments=moments,
                neighbors=neighbors,
            ),
            data.num_classes,
        )

    def _network_scope(
        self, readings: Sequence[Reading], started: Callable[[str], None]
    ) -> Iterator[tuple[Reading, Outcome]]:
        """Yield the outcomes of decoders that get all of the network's own layers at once."""
        parts = self._all_layers()
        for reading in readings:
            kind = self._kind(reading)
            assert kind is not None  # the readout has a layer
            started(reading.key)
            if parts is None:
                yield reading, decoding.failure(_NOT_FINITE, "nan")
                continue
            try:
                yield reading, self._decode(kind.spec, reading, parts)
            except InputChanged:
                yield reading, decoding.failure(decoding.CHANGED, "error")
                parts = self._all_layers()

    def _all_layers(self) -> Activations | None:
        """Return the activations of all of the network's own layers; None where not finite."""
        data = self._data
        layers = [layer for layer in self._network.layers if layer.name != INPUT]
        train, validation, test = (
            extract(self._module, part.x, layers, device=self._device, scratch=self._scratch)
            for part in (data.train, data.validation, data.test)
        )
        every = (*train.values(), *validation.values(), *test.values())
        if not all(_finite(matrix) for matrix in every):
            return None
        sample = {name: matrix[data.sample] for name, matrix in train.items()}
        return Activations(train=train, sample=sample, validation=validation, test=test)

    def _stored(self, units: Sequence[_Unit]) -> bool:
        """Whether a decoder wants the training points themselves."""
        kinds = [self._kind(reading) for unit in units for reading in unit.readings]
        return any(kind is not None and not kind.from_moments for kind in kinds)

    def _labellings(self, units: Sequence[_Unit]) -> Labellings:
        """Return the labellings whose moments decoders want, by draw."""
        found = {}
        for unit in units:
            wanted = {
                str(reading.decoding.labels)
                for reading in unit.readings
                if (kind := self._kind(reading)) and kind.from_moments
            }
            if wanted:
                found[unit.draw] = Labelling(self._vectors(unit.draw), frozenset(wanted))
        return found

    def _vectors(self, draw: Draw | None) -> dict[str, Any]:
        true = self._data.train.true
        if draw is None:
            return {"true": true}
        return {"corrupted": self._data.labels(draw).train.labels, "true": true}

    def _scope(self, reading: Reading) -> str:
        kind = self._kind(reading)
        return kind.spec.scope if kind else "layer"

    def _kind(self, reading: Reading) -> _Kind | None:
        """Return what a reading's decoder is like; None for the readout."""
        name = reading.decoding.decoder
        if name is None:
            return None
        if name not in self._kinds:
            self._kinds[name] = _Kind.of(self._data.registry.decoders.find(name))
        return self._kinds[name]


def _by_layer(units: Sequence[_Unit]) -> dict[Layer, list[_Unit]]:
    layers: dict[Layer, list[_Unit]] = {}
    for unit in units:
        layers.setdefault(unit.layer, []).append(unit)
    return layers


def _finite(matrix: Matrix) -> bool:
    """Whether all is finite, without a mask as large as the matrix."""
    return all(bool(torch.isfinite(block.sum())) for block in blocks(as_tensor(matrix)))


def _readout(logits: Activations) -> Outcome:
    every: list[Any] = [logits.sample, logits.validation, logits.test]
    if not all(_finite(part) for part in every):
        return decoding.failure("logits are not finite", "nan")
    sample, validation, test = (part.argmax(axis=1) for part in every)
    return Outcome(
        status="ok", predictions=Predictions(train=sample, validation=validation, test=test)
    )
