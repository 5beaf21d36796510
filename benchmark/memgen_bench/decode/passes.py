"""Passes of all images through a network, and the layers that are read in each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from memgen_bench.compute import is_finite
from memgen_bench.decode.activations import extract, stream
from memgen_bench.decode.decoding import Activations
from memgen_bench.decode.moments import Labelling
from memgen_bench.decode.scratch import Scratch
from memgen_bench.decode.shared_activations import SharedActivations
from memgen_bench.decode.training_points import TrainingPoints
from memgen_bench.global_state import preserved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch
    from torch import nn

    from memgen_bench.arrays import Images, LabelVector, Matrix
    from memgen_bench.data.planned_data import PlannedData
    from memgen_bench.decode.moments import Moments
    from memgen_bench.decode.neighbors import Neighbors
    from memgen_bench.decode.training_points import Labellings
    from memgen_bench.plan.plan import Draw, Layer


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The needs of all decoders of one layer and one draw of labels; one pass meets them all.

    Attributes:
        layer: The layer.
        draw: The draw; None for the true labels alone.
        points: Whether a decoder wants the training points themselves.
        moments: The labels, `corrupted` or `true`, whose moments decoders want.
    """

    layer: Layer
    draw: Draw | None
    points: bool
    moments: frozenset[str]


class ReadLayer:
    """The activations that a pass read of one layer.

    Args:
        train: The training points.
        validation: Activations of the validation points.
        test: Activations of the test points.

    Attributes:
        beside: The activations with features beside them, by the name of these.
        results: Small results of moments that were kept, by draw and kind of labels.
    """

    def __init__(self, train: TrainingPoints, validation: Matrix, test: Matrix) -> None:
        self._train, self._validation, self._test = train, validation, test
        self._moments: tuple[tuple[Draw | None, str], Moments] | None = None
        self.results: dict[tuple[Draw | None, str], dict[str, Any]] = {}
        self.beside: dict[str, SharedActivations] = {}

    @cached_property
    def finite(self) -> bool:
        """Whether every activation is a number."""
        return self._train.finite and is_finite(self._validation) and is_finite(self._test)

    @cached_property
    def activations(self) -> Activations:
        """The activations; without training points where no decoder wants them."""
        return Activations(
            train=self._train.points,
            sample=self._train.sample(),
            validation=self._validation,
            test=self._test,
        )

    def share(self, draw: Draw | None, labels: str) -> SharedActivations:
        """Share the activations among decoders that are fitted on some labels of a draw."""
        wanted = self._train.has_moments(draw, labels)
        return SharedActivations(
            activations=self.activations,
            moments=partial(self._moments_of, draw, labels) if wanted else None,
            neighbors=lambda: self._neighbors,
        )

    @cached_property
    def _neighbors(self) -> Neighbors:
        return self._train.neighbors([self._train.sample(), self._validation, self._test])

    def _moments_of(self, draw: Draw | None, labels: str) -> Moments:
        """Return moments; those of one labelling at a time are kept."""
        if self._moments is None or self._moments[0] != (draw, labels):
            self.keep_results()
            self._moments = None
            self._moments = (draw, labels), self._train.moments(draw, labels)
        return self._moments[1]

    def keep_results(self) -> None:
        """Keep the small results of the moments, by draw and kind of labels, in `results`."""
        if self._moments is not None:
            self.results[self._moments[0]] = self._moments[1].small_results()


class Passes:
    """Passes of all images through a network, as few as a memory budget allows.

    Layers that are larger than the budget go to memory-mapped files. How many passes there are,
    and what goes to files, changes no number.

    Args:
        module: The network, on `device`.
        data: The images and their labels.
        device: Where to compute.
        memory: Bytes for activations and moments.
        images_at_once: Images of a batch; numbers may depend on it.
    """

    def __init__(
        self,
        module: nn.Module,
        data: PlannedData,
        device: torch.device,
        memory: int,
        images_at_once: int,
    ) -> None:
        self._module, self._data, self._device, self._memory = module, data, device, memory
        self._images_at_once = images_at_once
        self._scratch = Scratch(memory)

    def groups(self, demands: Sequence[Demand]) -> Iterator[list[Demand]]:
        """Yield demands that one pass meets: as many as fit the budget, but at least one."""
        group: list[Demand] = []
        for demand in demands:
            if group and self._bytes([*group, demand]) > self._memory:
                yield group
                group = []
            group.append(demand)
        if group:
            yield group

    @preserved()
    def read(self, demands: Sequence[Demand]) -> dict[str, ReadLayer]:
        """Pass all images through the network once and return the layers read, by name."""
        wanted = by_layer(demands)
        layers = list(wanted)
        training = {layer.name: self._training_points(layer, own) for layer, own in wanted.items()}
        for batch in stream(
            self._module,
            self._data.train.x,
            layers,
            device=self._device,
            batch_size=self._images_at_once,
        ):
            for name, rows in batch.items():
                training[name].add(rows)
        validation, test = (
            self._extract(subset.x, layers) for subset in (self._data.validation, self._data.test)
        )
        return {
            name: ReadLayer(points, validation[name], test[name])
            for name, points in training.items()
        }

    @preserved()
    def read_together(self, layers: Sequence[Layer]) -> Activations | None:
        """Return the activations of several layers at once; None where one is not finite."""
        data = self._data
        train, validation, test = (
            self._extract(subset.x, layers) for subset in (data.train, data.validation, data.test)
        )
        every = (*train.values(), *validation.values(), *test.values())
        if not all(map(is_finite, every)):
            return None
        sample = {name: matrix[data.sample] for name, matrix in train.items()}
        return Activations(train=train, sample=sample, validation=validation, test=test)

    def _extract(self, images: Images, layers: Sequence[Layer]) -> Mapping[str, Matrix]:
        return extract(
            self._module,
            images,
            layers,
            device=self._device,
            scratch=self._scratch,
            batch_size=self._images_at_once,
        )

    def _bytes(self, demands: Sequence[Demand]) -> int:
        """Return the memory that a pass takes where nothing goes to files."""
        data = self._data
        others = len(data.validation.true) + len(data.test.true) + len(data.sample)
        return sum(
            TrainingPoints.bytes(layer, **self._wanted(own)) + 4 * layer.dim * others
            for layer, own in by_layer(demands).items()
        )

    def _training_points(self, layer: Layer, demands: Sequence[Demand]) -> TrainingPoints:
        return TrainingPoints(
            layer,
            sample=self._data.sample,
            device=self._device,
            scratch=self._scratch,
            **self._wanted(demands),
        )

    def _wanted(self, demands: Sequence[Demand]) -> dict[str, Any]:
        """Return the arguments that decide how much of a layer's training points is kept."""
        return {
            "count": len(self._data.train.true),
            "num_classes": self._data.num_classes,
            "stored": any(demand.points for demand in demands),
            "labellings": self._labellings(demands),
        }

    def _labellings(self, demands: Sequence[Demand]) -> Labellings:
        return {
            demand.draw: Labelling(self._vectors(demand.draw), demand.moments)
            for demand in demands
            if demand.moments
        }

    def _vectors(self, draw: Draw | None) -> dict[str, LabelVector]:
        true = self._data.train.true
        if draw is None:
            return {"true": true}
        return {"corrupted": self._data.labels(draw).train.labels, "true": true}


def by_layer(demands: Sequence[Demand]) -> dict[Layer, list[Demand]]:
    """Return the demands of each layer, in their order."""
    layers: dict[Layer, list[Demand]] = {}
    for demand in demands:
        layers.setdefault(demand.layer, []).append(demand)
    return layers
