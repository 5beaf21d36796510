"""The reader of a network: every decoder, fitted on the layers that passes read."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench import seeds
from memgen_bench.compute import is_finite
from memgen_bench.decode.beside import features_of, put_beside
from memgen_bench.decode.decoding import Extras, Outcome, Predictions, failure, outcome_of, recall
from memgen_bench.decode.moments import moments_of
from memgen_bench.decode.passes import Demand, Passes, by_layer
from memgen_bench.decode.shared_activations import SharedActivations, is_fitted_from_moments
from memgen_bench.plugin.training_record import TrainingRecord
from memgen_bench.protocol import ALL_LAYERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import torch
    from torch import nn

    from memgen_bench.arrays import LabelVector
    from memgen_bench.data.planned_data import PlannedData
    from memgen_bench.decode.decoding import Activations
    from memgen_bench.decode.moments import Moments
    from memgen_bench.decode.passes import ReadLayer
    from memgen_bench.plan.plan import Draw, Layer, PlannedNetwork, Reading
    from memgen_bench.plugin.specs import DecoderSpec
    from memgen_bench.plugin.trajectory import Trajectory

    # called with a reading's key before it is computed, and with nothing before a pass
    Started = Callable[[str], None]


def _nobody(_: str) -> None:
    """Ignore the key of the reading that is computed next."""


class Reader:
    """Fits decoders on a network's layers and yields the outcome of each reading.

    Args:
        network: The network to read, as planned.
        data: Its data.
        module: The network, on `device`.
        device: Where to compute.
        memory: Bytes for activations and moments; no number depends on it.
        record: What happened while it was trained; nothing for an untrained one.
        trajectory: How it learned each training point; None where that is not known.
    """

    def __init__(
        self,
        network: PlannedNetwork,
        data: PlannedData,
        module: nn.Module,
        device: torch.device,
        memory: int,
        record: TrainingRecord | None = None,
        trajectory: Trajectory | None = None,
    ) -> None:
        self._network, self._data, self._module = network, data, module
        self._device, self._record = device, record or TrainingRecord()
        self._trajectory = trajectory
        self._passes = Passes(module, data, device, memory, network.images_at_once)
        self._results: dict[str, dict[Any, dict[str, Any]]] = {}  # of moments, by layer

    def outcomes(
        self, readings: Sequence[Reading], started: Started = _nobody
    ) -> Iterator[tuple[Reading, Outcome]]:
        """Yield the outcome of each reading, layer by layer.

        Args:
            readings: The readings to compute.
            started: Called with a reading's key before it is computed, and with nothing before a
                pass over the images.
        """
        yield from self._of_layers(readings, started)
        everything = [reading for reading in readings if reading.layer == ALL_LAYERS]
        recalled = [reading for reading in everything if _is_recalled(reading)]
        yield from ((reading, self._recall(reading)) for reading in recalled)
        yield from self._of_network([r for r in everything if not _is_recalled(r)], started)

    def _of_layers(
        self, readings: Sequence[Reading], started: Started
    ) -> Iterator[tuple[Reading, Outcome]]:
        """Yield the outcomes of readings of one layer each."""
        demanding = {self._demand(*place, own): own for place, own in self._places(readings)}
        for group in self._passes.groups(list(demanding)):
            started("")
            read = self._passes.read(group)
            for layer, demands in by_layer(group).items():
                own = [reading for demand in demands for reading in demanding[demand]]
                yield from self._of_layer(own, demands, read.pop(layer.name), started)

    def _places(
        self, readings: Sequence[Reading]
    ) -> Iterator[tuple[tuple[Layer, Draw | None], list[Reading]]]:
        """Yield the readings of each layer and draw, in the order of layers and draws."""
        for layer in self._network.layers:
            draws: dict[Draw | None, list[Reading]] = {}
            for reading in readings:
                if reading.layer == layer.name:
                    draws.setdefault(reading.decoding.draw, []).append(reading)
            for draw, own in draws.items():
                # One label vector after the other: only one's moments are in memory.
                yield (layer, draw), sorted(own, key=lambda r: r.decoding.labels or "")

    def _demand(self, layer: Layer, draw: Draw | None, readings: Iterable[Reading]) -> Demand:
        """Return the needs of the readings of one layer and draw."""
        fitted = [reading for reading in readings if reading.decoding.decoder]
        of_moments = [each for each in fitted if is_fitted_from_moments(self._spec(each))]
        return Demand(
            layer=layer,
            draw=draw,
            points=len(of_moments) < len(fitted),
            moments=frozenset(str(each.decoding.labels) for each in of_moments),
        )

    def _of_layer(
        self,
        readings: Iterable[Reading],
        demands: Sequence[Demand],
        read: ReadLayer,
        started: Started,
    ) -> Iterator[tuple[Reading, Outcome]]:
        """Yield the outcomes of one layer's readings; spoilt activations are read again."""
        for reading in readings:
            started(reading.key)
            outcome = self._of_one(reading, read)
            yield reading, outcome
            if outcome.spoilt:
                (read,) = self._passes.read(demands).values()
        read.keep_results()
        self._results[demands[0].layer.name] = read.results

    def _of_one(self, reading: Reading, read: ReadLayer) -> Outcome:
        what = reading.decoding
        if what.decoder is None:
            return _readout(read.activations)
        if not read.finite:
            return _not_finite("activations")
        if self._spec(reading).beside:
            return self._of_both(reading, read)
        return self._fitted(reading, read.share(what.draw, str(what.labels)))

    def _of_both(self, reading: Reading, read: ReadLayer) -> Outcome:
        """Return the outcome of a decoder that gets features of the images beside a layer."""
        features = self._spec(reading).beside
        try:
            if features not in read.beside:
                known = features_of(features, self._network, self._data, reading.decoding.fitted_on)
                read.beside[features] = SharedActivations(
                    activations=put_beside(read.activations, known, features)
                )
        except BaseException as error:
            return outcome_of(error)
        return self._fitted(reading, read.beside[features])

    def _of_network(
        self, readings: Sequence[Reading], started: Started
    ) -> Iterator[tuple[Reading, Outcome]]:
        """Yield the outcomes of decoders that get all of the network's layers at once."""
        if not readings:
            return
        started("")
        own = self._network.layers
        activations = self._passes.read_together(own)
        moments: dict[Any, Any] = {}
        for reading in readings:
            started(reading.key)
            if activations is None:
                yield reading, _not_finite("activations")
                continue
            what = reading.decoding
            kind = what.draw, str(what.labels)
            if kind not in moments:
                moments = {kind: self._moments_of_layers(activations, *kind)}
            shared = SharedActivations(activations=activations, moments_of_layers=moments[kind])
            outcome = self._fitted(reading, shared)
            yield reading, outcome
            if outcome.spoilt:
                activations, moments = self._passes.read_together(own), {}

    def _moments_of_layers(
        self, activations: Activations, draw: Draw | None, labels: str
    ) -> dict[str, Callable[[], Moments]]:
        """Return a function for each layer that returns its moments, with results kept of them."""
        train: Any = activations.train

        @cache
        def moments(layer: str) -> Moments:
            found = moments_of(train[layer], self._labels(draw, labels))
            found.remember(self._results.get(layer, {}).get((draw, labels), {}))
            return found

        return {layer: partial(moments, layer) for layer in train}

    def _labels(self, draw: Draw | None, labels: str) -> LabelVector:
        data = self._data
        return data.train.true if labels == "true" else data.labels(draw).train.labels

    def _fitted(self, reading: Reading, shared: SharedActivations) -> Outcome:
        """Return the outcome of a decoder on the labels that its reading names."""
        what, data = reading.decoding, self._data
        if self._network.kind == "features" and "network" in self._spec(reading).needs:
            return Outcome(status="skipped", message="features have no network to work on")
        if "trajectory" in self._spec(reading).needs and (reason := self._no_trajectory(reading)):
            return Outcome(status="skipped", message=reason)
        drawn, on_true = data.labels(what.draw), what.labels == "true"
        extras = Extras(
            validation_labels=drawn.validation.labels,
            transition=np.eye(data.num_classes) if on_true else drawn.transition,
            module=self._module,
            seed=seeds.integer(self._network.seed, "decoder"),
            device=self._device,
            trajectory=self._trajectory,
            held_out=data.held_out,
        )
        labels = self._labels(what.draw, str(what.labels))
        return shared.outcome(self._spec(reading), labels, extras, data.num_classes)

    def _no_trajectory(self, reading: Reading) -> str:
        """Return the reason why there is no trajectory of the points and labels of a reading."""
        what, network = reading.decoding, self._network
        if not network.is_trained:
            return "there is no trajectory where nothing was trained"
        if what.fitted_on != "training":
            return "held-out points have no trajectory, as no network was trained on them"
        own = "true" if network.draw is None else "corrupted"
        if what.draw != network.draw or what.labels != own:
            return "the trajectory is that of other labels, on which the network was trained"
        if reading.epoch is not None:
            return "a trajectory is that of a whole training, and not kept at checkpoints"
        if self._trajectory is None:
            return "the cached network has no trajectory: run with --fresh to train it with one"
        return ""

    def _recall(self, reading: Reading) -> Outcome:
        """Return the network's predictions in an epoch, if it was trained on these labels."""
        return recall(self._spec(reading), self._record, self._data.test_places)

    def _spec(self, reading: Reading) -> DecoderSpec:
        """Return a reading's decoder, which is not the readout."""
        return self._data.registry.decoders.find(str(reading.decoding.decoder))


def _is_recalled(reading: Reading) -> bool:
    return reading.decoding.scope == "training"


def _not_finite(what: str) -> Outcome:
    return failure(f"{what} are not finite", "nan")


def _readout(logits: Activations) -> Outcome:
    every: list[Any] = [logits.sample, logits.validation, logits.test]
    if not all(map(is_finite, every)):
        return _not_finite("logits")
    sample, validation, test = (matrix.argmax(axis=1) for matrix in every)
    return Outcome(
        status="ok", predictions=Predictions(train=sample, validation=validation, test=test)
    )
