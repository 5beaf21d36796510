"""The planner: all combinations of a suite's axes as networks, in a fixed order; pure."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import asdict
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

from memgen_bench.errors import NotApplicable, UsageError
from memgen_bench.hashing import canonical, canonical_digest, digest
from memgen_bench.plan.plan import Decoding, Draw, Layer, Plan, PlannedNetwork
from memgen_bench.plan.suite import ALL, Kind
from memgen_bench.plugin.parameters import built_parameters
from memgen_bench.protocol import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from memgen_bench.plan.plan import DataInfo
    from memgen_bench.plan.suite import Labels, Pair, Suite
    from memgen_bench.plugin.registry import Registry
    from memgen_bench.plugin.specs import DecoderSpec, ModelSpec, NoiseSpec, Task

    FindLayers = Callable[[ModelSpec, Task, int], tuple[Layer, ...]]
    FindParameters = Callable[[DecoderSpec], str]


def make_plan(
    suite: Suite,
    registry: Registry,
    data: Mapping[str, DataInfo],
    *,
    find_layers: FindLayers,
    device_type: str,
    find_parameters: FindParameters = built_parameters,
    slow: bool = False,
    missing_data: Mapping[str, str] | None = None,
) -> Plan:
    """Plan a suite.

    Args:
        suite: The suite to plan.
        registry: The registry in which its names are looked up.
        data: Descriptions of the data sets on disk; pairs with other data sets are left out.
        find_layers: Function that finds a model's layers; may raise `MemgenError`, or
            `NotApplicable` for a pair to be left out.
        device_type: `cpu` or `cuda`; part of a trained network's identity.
        find_parameters: Function that finds a decoder's parameters, as JSON.
        slow: Whether to include decoders marked `slow`; named decoders are always included.
        missing_data: Data sets that are not on disk, with the reason for each.

    Raises:
        UsageError: An unknown name, or sizes that the data do not allow.
    """
    planner = _Planner(suite, registry, find_layers, device_type, find_parameters, slow)
    networks: dict[str, PlannedNetwork] = {}
    unfit: dict[str, str] = {}
    with _no_garbage():
        for pair in suite.combinations():
            if pair.dataset not in data:
                continue
            try:
                for network in planner.networks(pair, data[pair.dataset]):
                    networks.setdefault(network.network_id, network)
            except NotApplicable as reason:
                unfit[f"{pair.model} on {pair.dataset}"] = str(reason)
    return Plan(
        suite=suite,
        networks=tuple(networks.values()),
        missing_data=dict(missing_data or {}),
        unfit=unfit,
    )


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Turn garbage collection off, since all objects stay: it saves a third of a plan's time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


class _Planner:
    """The planned networks of a suite, one (model, data set) pair at a time."""

    def __init__(
        self,
        suite: Suite,
        registry: Registry,
        find_layers: FindLayers,
        device_type: str,
        find_parameters: FindParameters,
        slow: bool,
    ) -> None:
        self.suite, self.registry = suite, registry
        self.find_layers, self.device_type = find_layers, device_type
        self.noises: list[NoiseSpec] = [registry.noises.find(name) for name in suite.noises]
        chosen = _chosen_decoders(suite, registry, slow)
        self.decoders = tuple(_decoding(spec, find_parameters(spec)) for spec in chosen)
        self.labels = {kind: tuple(self._labels(kind)) for kind in get_args(Kind)}

    def networks(self, pair: Pair, data: DataInfo) -> Iterator[PlannedNetwork]:
        """Yield untrained, clean and memorized networks, seed by seed."""
        suite, block = self.suite, _Block(self, pair, data)
        for seed in suite.seeds:
            draws = tuple(self._draws(seed))
            orders = suite.order_seeds or (seed,)
            for init in suite.init_seeds or (seed,):
                if "untrained" in suite.kinds:
                    yield block.network("untrained", seed, init, None, None, draws)
                for order in orders:
                    if self._needs_clean():
                        yield block.network("clean", seed, init, order, None, draws)
                    if "memorized" in suite.kinds:
                        for draw in draws:
                            yield block.network("memorized", seed, init, order, draw, draws)

    def _draws(self, seed: int) -> Iterator[Draw]:
        rates = sorted({rate for rate in self.suite.rates if rate > 0})
        for noise, rate in product(self.noises, rates):
            for noise_seed in self.suite.noise_seeds or (seed,):
                yield Draw(
                    noise=noise.name,
                    noise_version=noise.version,
                    rate=rate,
                    noise_seed=noise_seed,
                )

    def _needs_clean(self) -> bool:
        """Tell whether the suite needs clean networks, as a kind of its own or as ceilings."""
        recovery = "memorized" in self.suite.kinds and min(self.suite.rates) < 1
        return "clean" in self.suite.kinds or recovery

    def _labels(self, kind: Kind) -> Iterator[Labels]:
        """Yield the kinds of labels that decoders are fitted on, for one kind of network."""
        suite = self.suite
        if kind == "memorized":
            yield from suite.labels
            return
        # At rate 0 corrupted labels are the true ones: they are called true.
        at_zero = 0 in suite.rates
        if (kind in suite.kinds or at_zero) and ("true" in suite.labels or at_zero):
            yield "true"
        if kind in suite.kinds and "corrupted" in suite.labels:
            yield "corrupted"


class _Block:
    """The networks of one (model, data set) pair, whose common identity is hashed once."""

    def __init__(self, planner: _Planner, pair: Pair, data: DataInfo) -> None:
        self.planner, self.data = planner, data
        suite = planner.suite
        self.model = planner.registry.models.find(pair.model)
        self.recipe = pair.recipe.apply(self.model.recipe)
        self.train_size = _size(suite.train_size, data.train_count, "train_size", data.name)
        self.test_size = _size(suite.test_size, data.test_count, "test_size", data.name)
        self.layers, self.fault = self._find_layers()
        self.initial = {
            "protocol": PROTOCOL_VERSION,
            "model": self.model.name,
            "version": self.model.version,
            "parameters": self.model.parameters,
            "task": asdict(data.task),
            "data": data.fingerprint,
            "train_size": self.train_size,
            "validation_fraction": suite.validation_fraction,
        }
        self.initial_digest = digest(self.initial)
        self.trained = canonical({"recipe": self.recipe.identity(), "device": planner.device_type})

    def _find_layers(self) -> tuple[tuple[Layer, ...], str]:
        try:
            limit = self.planner.suite.max_layer_dim
            return self.planner.find_layers(self.model, self.data.task, limit), ""
        except (UsageError, NotApplicable):
            raise
        except Exception as error:
            return (), str(error)

    def network(
        self,
        kind: Kind,
        seed: int,
        init_seed: int,
        order_seed: int | None,
        own: Draw | None,
        draws: tuple[Draw, ...],
    ) -> PlannedNetwork:
        """Return one planned network."""
        identity: dict[str, Any] = {"initial": self.initial, "seed": seed, "init": init_seed}
        if kind != "untrained":
            draw = {**vars(own), "rate": canonical(own.rate)} if own else None
            identity.update(self.trained, order=order_seed, draw=draw)
        suite = self.planner.suite
        return PlannedNetwork(
            network_id=canonical_digest({**identity, "initial": self.initial_digest}),
            identity=identity,
            kind=kind,
            model=self.model.name,
            data=self.data,
            recipe=self.recipe,
            draw=own,
            seed=seed,
            init_seed=init_seed,
            order_seed=order_seed,
            train_size=self.train_size,
            test_size=self.test_size,
            validation_fraction=suite.validation_fraction,
            max_layer_dim=suite.max_layer_dim,
            layers=self.layers,
            fault=self.fault,
            decoders=self.planner.decoders,
            labels=self.planner.labels[kind],
            draws=(own,) if own else draws,
            checkpoints=suite.checkpoints if kind != "untrained" else (),
        )


def _size(asked: int | None, there: int, key: str, dataset: str) -> int:
    if asked is not None and asked > there:
        raise UsageError(f"{key} {asked} is more than the {there} images of {dataset!r}")
    return asked or there


def _chosen_decoders(suite: Suite, registry: Registry, slow: bool) -> list[DecoderSpec]:
    if suite.decoders == ALL:
        specs = [registry.decoders[name] for name in registry.decoders]
        return [spec for spec in specs if slow or not spec.slow]
    return [registry.decoders.find(name) for name in dict.fromkeys(suite.decoders)]


def _decoding(spec: DecoderSpec, params: str) -> Decoding:
    return Decoding(decoder=spec.name, version=spec.version, params=params, scope=spec.scope)
