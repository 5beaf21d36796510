"""The plan of a run: networks, decoders fitted on them, and readings with stable keys; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from memgen_bench import seeds
from memgen_bench.hashing import digest, network_id
from memgen_bench.protocol import ALL_LAYERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memgen_bench.plan.suite import Kind, Labels, Suite
    from memgen_bench.plugin.specs import Recipe, Task


@dataclass(frozen=True, kw_only=True)
class DataInfo:
    """The properties of a data set that a plan depends on.

    Attributes:
        name: The data set's name.
        fingerprint: Hash of all its images and labels.
        task: Image size and number of classes.
        train_count: Number of training images.
        test_count: Number of test images.
        notices: Lines on its data that a run shows to its user.
    """

    name: str
    fingerprint: str
    task: Task
    train_count: int
    test_count: int
    notices: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A named point of a network.

    Attributes:
        name: `input`, a module's name (`name:2` for its second call), or `logits`.
        index: The layer's position, 0 for the input.
        depth: index / last index, in [0, 1].
        dim: Width of the activations that decoders get.
        width: Width of the network's own activations; larger than `dim` where a map is pooled.
        grid: Height and width that a map is pooled to, or the number of tokens; None: not pooled.
        channels_last: Whether the map's channels come last.
    """

    name: str
    index: int
    depth: float
    dim: int
    width: int
    grid: tuple[int, ...] | None = None
    channels_last: bool = False


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A draw of corrupted labels: the noise, its rate and its seed."""

    noise: str
    noise_version: int
    rate: float
    noise_seed: int


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """A decoder fitted on one kind of labels, on every layer; `decoder` None is the readout.

    Attributes:
        decoder: The decoder's name, or None.
        version: The decoder's version.
        params: The decoder's parameters, as JSON.
        scope: `layer`, `network` or `training`.
        labels: The labels that it is fitted on; None for the readout.
        draw: The draw of corrupted labels; None at rate 0.
    """

    decoder: str | None = None
    version: int = 1
    params: str = "{}"
    scope: str = "layer"
    labels: Labels | None = None
    draw: Draw | None = None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One planned row: a decoding on a layer.

    Attributes:
        key: Identity of the row.
        decoding: The decoder and its labels.
        layer: Name of the layer; `*` for scopes other than `layer`.
        epoch: The checkpoint at which the network is read; None: the end of its training.
    """

    key: str
    decoding: Decoding
    layer: str
    epoch: int | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedNetwork:
    """One network and all its planned readings.

    Attributes:
        network_id: Hash of `identity`.
        identity: All that decides the network's weights (see `hashing.network_id`).
        kind: memorized, clean or untrained.
        model: The model's name.
        data: The data set.
        recipe: The recipe, with the suite's changes.
        draw: The draw of labels that it is trained on; None for true labels.
        seed: Seed of the split and of the decoders.
        init_seed: Seed of the initial weights.
        order_seed: Seed of the batches; None if the network is not trained.
        train_size: Number of training images used, validation subset included.
        test_size: Number of test images used.
        validation_fraction: Share of the training images in the validation subset.
        max_layer_dim: Maps wider than this are pooled; 0 for no limit.
        layers: The network's layers; empty if they could not be found.
        fault: The reason why layers could not be found.
        decoders: The decoders to fit on each layer, without labels and draw.
        labels: The kinds of labels that each decoder is fitted on.
        draws: The draws of corrupted labels that decoders are fitted on.
        checkpoints: Epochs after which it is read too; its training may end before.
    """

    network_id: str
    identity: Mapping[str, Any] = field(repr=False, compare=False)
    kind: Kind
    model: str
    data: DataInfo
    recipe: Recipe
    draw: Draw | None
    seed: int
    init_seed: int
    order_seed: int | None
    train_size: int
    test_size: int
    validation_fraction: float
    max_layer_dim: int
    layers: tuple[Layer, ...] = field(repr=False)
    fault: str = ""
    decoders: tuple[Decoding, ...] = field(repr=False)
    labels: tuple[Labels, ...]
    draws: tuple[Draw, ...] = field(repr=False)
    checkpoints: tuple[int, ...] = ()

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """All decoders with their labels and draws, the network's own readout first."""
        fitted = (
            replace(decoder, labels=labels, draw=draw)
            for labels, draw in self._fitted_on()
            for decoder in self.decoders
        )
        return (Decoding(draw=self.draw), *fitted)

    def _fitted_on(self) -> list[tuple[Labels, Draw | None]]:
        return [
            (labels, draw)
            for labels in self.labels
            for draw in (self.draws if labels == "corrupted" else (self.draw,))
        ]

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """All planned rows of this network, in order; those at its checkpoints come last."""
        return tuple(
            Reading(
                key=self._key(decoding, layer, epoch), decoding=decoding, layer=layer, epoch=epoch
            )
            for epoch in (None, *self.checkpoints)
            for decoding in self.decodings
            if epoch is None or decoding.scope != "training"
            for layer in self._layers_of(decoding)
        )

    @property
    def reading_count(self) -> int:
        """The number of planned rows, counted without computing their keys."""
        rows = [len(self._layers_of(decoder)) for decoder in self.decoders]
        recalls = sum(decoder.scope == "training" for decoder in self.decoders)
        fits, checkpoints = len(self._fitted_on()), len(self.checkpoints)
        at_checkpoints = checkpoints * (1 + (sum(rows) - recalls) * fits)
        return 1 + sum(rows) * fits + at_checkpoints

    def at(self, epoch: int) -> PlannedNetwork:
        """Return this network as it is after an epoch of its training, with an id of its own."""
        identity = {**self.identity, "epoch": epoch}
        return replace(self, network_id=network_id(identity), identity=identity)

    def _layers_of(self, decoding: Decoding) -> tuple[str, ...]:
        if decoding.scope != "layer" or not self.layers:
            return (ALL_LAYERS,)
        if decoding.decoder is None:
            return (self.layers[-1].name,)
        return tuple(layer.name for layer in self.layers)

    def _key(self, decoding: Decoding, layer: str, epoch: int | None) -> str:
        return digest(
            {
                **({} if epoch is None else {"epoch": epoch}),
                "network": self.network_id,
                "draw": vars(decoding.draw) if decoding.draw else None,
                "labels": decoding.labels,
                "layer": layer,
                "max_layer_dim": self.max_layer_dim,
                "test_size": self.test_size,
                "decoder": decoding.decoder,
                "version": decoding.version,
                "params": decoding.params,
                "seed": seeds.integer(self.seed, "decoder"),
                "threads": self.recipe.threads,
            }
        )

    @property
    def label(self) -> str:
        """A short name of this network for messages."""
        given = f"{self.draw.noise} {self.draw.rate:g}" if self.draw else self.kind
        return f"{self.model} on {self.data.name}, {given}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A suite's planned networks, and what was left out.

    Attributes:
        suite: The suite, with options applied.
        networks: The networks, in the order in which they are run.
        missing_data: Data sets that are not on disk, with the reason for each.
        unfit: Pairs whose model does not take the data set's images, as `model on dataset`, with
            the reason for each.
    """

    suite: Suite
    networks: tuple[PlannedNetwork, ...]
    missing_data: Mapping[str, str]
    unfit: Mapping[str, str] = field(default_factory=dict)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The reasons for which data sets and pairs were left out."""
        pairs = (f"{pair}: {reason}" for pair, reason in self.unfit.items())
        return (*self.missing_data.values(), *pairs)

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines on the data that a run shows to its user."""
        data = {network.data.name: network.data.notices for network in self.networks}
        return tuple(f"{name}: {notice}" for name, said in data.items() for notice in said)

    @property
    def reading_count(self) -> int:
        """The number of rows that a complete run has."""
        return sum(network.reading_count for network in self.networks)
