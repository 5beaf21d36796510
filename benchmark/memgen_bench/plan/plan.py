"""The plan of a run: networks, decoders fitted on them, and readings with stable keys; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from memgen_bench import seeds
from memgen_bench.hashing import digest, network_id
from memgen_bench.protocol import ALL_LAYERS, FEATURE_BATCH, PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memgen_bench.plan.suite import FittedOn, Kind, Labels, Suite
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
        fitted_on: The points that it is fitted on: `training`, those that the network was trained
            on; `held_out`, those that it never saw; or `both`.
    """

    decoder: str | None = None
    version: int = 1
    params: str = "{}"
    scope: str = "layer"
    labels: Labels | None = None
    draw: Draw | None = None
    fitted_on: FittedOn = "training"


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
        kind: memorized, clean, untrained, random or features; see `kind_of`.
        model: The model's name, or that of the features.
        data: The data set.
        recipe: The recipe, with the suite's changes.
        draw: The draw of labels that it is trained on; None for true labels.
        seed: Seed of the split and of the decoders.
        init_seed: Seed of the initial weights; None for features.
        order_seed: Seed of the batches; None if the network is not trained.
        train_size: Number of training images used, validation subset included.
        test_size: Number of test images used.
        validation_fraction: Share of the training images in the validation subset.
        held_out_fraction: Share of the training images in the held-out subset.
        max_layer_dim: Maps wider than this are pooled; 0 for no limit.
        layers: The network's layers; empty if they could not be found.
        fault: The reason why layers could not be found.
        decoders: The decoders to fit on each layer, with the points of each, without labels and
            draw.
        labels: The kinds of labels that each decoder is fitted on.
        draws: The draws of corrupted labels that decoders are fitted on.
        checkpoints: Epochs after which it is read too; its training may end before.
        images_at_once: Images that go through it together where it is not trained.
    """

    network_id: str
    identity: Mapping[str, Any] = field(repr=False, compare=False)
    kind: Kind
    model: str
    data: DataInfo
    recipe: Recipe
    draw: Draw | None
    seed: int
    init_seed: int | None
    order_seed: int | None
    train_size: int
    test_size: int
    validation_fraction: float
    held_out_fraction: float = 0.0
    max_layer_dim: int
    layers: tuple[Layer, ...] = field(repr=False)
    fault: str = ""
    decoders: tuple[Decoding, ...] = field(repr=False)
    labels: tuple[Labels, ...]
    draws: tuple[Draw, ...] = field(repr=False)
    checkpoints: tuple[int, ...] = ()
    images_at_once: int = FEATURE_BATCH

    @property
    def is_trained(self) -> bool:
        """Whether the network is trained at all."""
        return self.order_seed is not None

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """All decoders with their labels, draws and points, the network's own readout first."""
        readout = () if self.kind == "features" else (Decoding(draw=self.draw),)
        recalled = (
            replace(decoder, labels=labels, draw=draw)
            for labels, draw in self._labels_and_draws()
            for decoder in self.decoders
            if decoder.scope == "training" and self._recalls(labels, draw)
        )
        fitted = (
            replace(decoder, labels=labels, draw=draw)
            for points in dict.fromkeys(decoder.fitted_on for decoder in self.decoders)
            for labels, draw in self._labels_and_draws()
            for decoder in self.decoders
            if decoder.scope != "training" and decoder.fitted_on == points
        )
        return (*readout, *recalled, *fitted)

    def _labels_and_draws(self) -> list[tuple[Labels, Draw | None]]:
        return [
            (labels, draw)
            for labels in self.labels
            for draw in (self.draws if labels == "corrupted" else (self.draw,))
        ]

    def _recalls(self, labels: Labels, draw: Draw | None) -> bool:
        """Tell whether the network was trained on these labels, so that it can be recalled."""
        return self.is_trained and draw == self.draw and (labels == "corrupted" or draw is None)

    def kind_of(self, decoding: Decoding) -> Kind:
        """Return the kind of network that this one is for a decoding.

        A network that was trained on labels of which none is kept on purpose (rate 1) is a
        `random` one, a control, for decodings of other draws.
        """
        is_other = self.draw is not None and decoding.draw != self.draw
        return "random" if is_other else self.kind

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """All planned rows of this network, in order; those at its checkpoints come last."""
        return tuple(
            Reading(
                key=self._key(decoding, layer, epoch), decoding=decoding, layer=layer, epoch=epoch
            )
            for epoch in (None, *self.checkpoints)
            for decoding in self.decodings
            if epoch is None or self._is_read_at_checkpoints(decoding)
            for layer in self._layers_of(decoding)
        )

    def _is_read_at_checkpoints(self, decoding: Decoding) -> bool:
        return decoding.scope != "training" and self.kind_of(decoding) != "random"

    @property
    def reading_count(self) -> int:
        """The number of planned rows, counted without computing their keys."""
        fits = self._labels_and_draws()
        own = [draw for _, draw in fits if draw is None or draw == self.draw or not self.is_trained]
        scopes = [decoder.scope == "training" for decoder in self.decoders]
        rows = sum(
            len(self._layers_of(decoder))
            for decoder, is_recalled in zip(self.decoders, scopes, strict=True)
            if not is_recalled
        )
        recalls = sum(scopes) * sum(self._recalls(*fit) for fit in fits)
        readout = self.kind != "features"
        at_checkpoints = len(self.checkpoints) * (readout + rows * len(own))
        return readout + recalls + rows * len(fits) + at_checkpoints

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
                "protocol": PROTOCOL_VERSION,
                "network": self.network_id,
                "draw": vars(decoding.draw) if decoding.draw else None,
                "labels": decoding.labels,
                "fitted_on": decoding.fitted_on,
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
        if self.kind == "features":
            return f"{self.model} of {self.data.name}, seed {self.seed}"
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
