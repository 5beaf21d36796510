"""The planner: all combinations of a suite's axes as networks, in a fixed order; pure."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from memgen_bench.errors import NotApplicable, UsageError
from memgen_bench.hashing import canonical, canonical_digest, digest, network_id
from memgen_bench.plan.batches import images_at_once
from memgen_bench.plan.plan import Decoding, Draw, Layer, Plan, PlannedNetwork
from memgen_bench.plan.pooling import features_layers
from memgen_bench.plan.suite import ALL, Kind
from memgen_bench.plugin.composition import AT
from memgen_bench.plugin.parameters import built_parameters
from memgen_bench.plugin.specs import Recipe
from memgen_bench.protocol import FEATURE_BATCH, STATISTICS_VERSION, TRAINING_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from memgen_bench.plan.plan import DataInfo
    from memgen_bench.plan.suite import Labels, Pair, Suite
    from memgen_bench.plugin.registry import Registry
    from memgen_bench.plugin.specs import DecoderSpec, FeaturesSpec, ModelSpec, NoiseSpec, Task

    FindLayers = Callable[[ModelSpec, Task, int], tuple[Layer, ...]]
    FindParameters = Callable[[DecoderSpec], str]


# Whether labels at rate 1 say nothing of the true ones does not depend on the number of classes.
_SOME_CLASSES = 3


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
        UsageError: An unknown name.
    """
    planner = _Planner(suite, registry, find_layers, device_type, find_parameters, slow)
    networks: dict[str, PlannedNetwork] = {}
    unfit: dict[str, str] = {}
    pairs = [pair for pair in suite.combinations() if pair.dataset in data]

    def collect(name: str, dataset: str, found: Iterator[PlannedNetwork]) -> None:
        try:
            for network in found:
                networks.setdefault(network.network_id, network)
        except NotApplicable as reason:
            unfit[f"{name} on {dataset}"] = str(reason)

    with _no_garbage():
        for dataset in dict.fromkeys(pair.dataset for pair in pairs):
            for spec in planner.features:
                collect(spec.name, dataset, planner.features_of(spec, data[dataset]))
        for pair in pairs:
            collect(pair.model, pair.dataset, planner.networks(pair, data[pair.dataset]))
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
        self.says_nothing = {noise.name for noise in self.noises if _says_nothing(noise)}
        chosen = _chosen_decoders(suite, registry, slow)
        decoders = {
            decoding: spec
            for spec in chosen
            for decoding in self._decodings(spec, find_parameters(spec))
        }
        alone = tuple(decoding for decoding, spec in decoders.items() if not spec.beside)
        # Features beside a layer are asked for where something is to be gained over them.
        self.decoders: dict[Kind, tuple[Decoding, ...]] = {
            **dict.fromkeys(get_args(Kind), tuple(decoders)),
            **{"clean": alone, "features": alone},
        }
        wanted = suite.features if "features" in suite.kinds else ()
        self.features = [registry.features.find(name) for name in dict.fromkeys(wanted)]
        self.labels = {kind: tuple(self._labels(kind)) for kind in get_args(Kind)}

    def networks(self, pair: Pair, data: DataInfo) -> Iterator[PlannedNetwork]:
        """Yield untrained, clean, memorized and random networks, seed by seed."""
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
                            if draw.rate < 1 or draw.noise not in self.says_nothing:
                                yield block.network("memorized", seed, init, order, draw, (draw,))
                    for draw, others in self._random(draws):
                        own = "memorized" in suite.kinds and draw in draws
                        kind: Kind = "memorized" if own else "random"
                        decoded = (*((draw,) if own else ()), *others)
                        yield block.network(kind, seed, init, order, draw, decoded)

    def features_of(self, spec: FeaturesSpec, data: DataInfo) -> Iterator[PlannedNetwork]:
        """Yield the features of a data set's images, seed by seed."""
        suite = self.suite
        initial, sizes = _initial(suite, data), _sizes(suite, data)
        layers, fault = features_layers(spec, data.task, suite.max_layer_dim)
        for seed in suite.seeds:
            identity = {
                "initial": {**initial, "features": spec.name, "version": spec.version},
                "seed": seed,
            }
            yield PlannedNetwork(
                network_id=network_id(identity),
                identity=identity,
                kind="features",
                model=spec.name,
                data=data,
                recipe=Recipe(),
                draw=None,
                seed=seed,
                init_seed=None,
                order_seed=None,
                layers=layers,
                fault=fault,
                decoders=self.decoders["features"],
                labels=self.labels["features"],
                draws=tuple(self._draws(seed)),
                **sizes,
            )

    def _decodings(self, spec: DecoderSpec, params: str) -> Iterator[Decoding]:
        """Yield a decoder, fitted on each kind of points that it or the suite asks for."""
        beside = self.registry.features.find(spec.beside).version if spec.beside else 0
        of_suite = self.suite.fitted_on if spec.scope != "training" else ("training",)
        for points in (spec.fitted_on,) if spec.fitted_on else of_suite:
            if points != "training" and not self.suite.held_out_fraction:
                raise UsageError(
                    f"{spec.name}{AT}{points}: suite {self.suite.name!r} holds no points out; set "
                    "held_out_fraction (--held-out-fraction) above 0"
                )
            yield Decoding(
                decoder=spec.name,
                version=spec.version + beside,
                params=params,
                scope=spec.scope,
                fitted_on=points,
            )

    def _random(self, draws: Sequence[Draw]) -> Iterator[tuple[Draw, tuple[Draw, ...]]]:
        """Yield each draw of random labels, and the draws decoded from networks trained on it."""
        kinds = self.suite.kinds
        for noise_draws in _by_noise(draws):
            if noise_draws[0].noise not in self.says_nothing:
                continue
            top = replace(noise_draws[0], rate=1.0)
            planned = "memorized" in kinds and top in noise_draws
            corrupted = "random" in kinds and "corrupted" in self.suite.labels
            others = tuple(draw for draw in noise_draws if draw != top) if corrupted else ()
            if planned or others:
                yield top, others

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
        if kind == "random":
            if "corrupted" in suite.labels:
                yield "corrupted"
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
        self.sizes = _sizes(suite, data)
        self.layers, self.fault = self._find_layers()
        self.images_at_once = batch = images_at_once(self.layers, data.task)
        self.initial = {
            **_initial(suite, data),
            **({"images_at_once": batch} if batch != FEATURE_BATCH else {}),
            "model": self.model.name,
            "version": self.model.version,
            "parameters": self.model.parameters,
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
        if kind == "untrained":
            identity["statistics"] = STATISTICS_VERSION
        else:
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
            layers=self.layers,
            fault=self.fault,
            decoders=self.planner.decoders[kind],
            labels=self.planner.labels[kind],
            draws=draws,
            checkpoints=suite.checkpoints if kind in ("clean", "memorized") else (),
            images_at_once=self.images_at_once,
            **self.sizes,
        )


def _sizes(suite: Suite, data: DataInfo) -> dict[str, Any]:
    """Return the sizes of a data set's subsets, and the width of layers."""
    return {
        "train_size": min(suite.train_size or data.train_count, data.train_count),
        "test_size": min(suite.test_size or data.test_count, data.test_count),
        "validation_fraction": suite.validation_fraction,
        "held_out_fraction": suite.held_out_fraction,
        "max_layer_dim": suite.max_layer_dim,
    }


def _initial(suite: Suite, data: DataInfo) -> dict[str, Any]:
    """Return the part of an identity that all networks on a data set share.

    A held-out fraction of 0 is left out, so that networks trained before there was one keep their
    names.
    """
    sizes = _sizes(suite, data)
    held_out = {"held_out_fraction": suite.held_out_fraction} if suite.held_out_fraction else {}
    return {
        "protocol": TRAINING_VERSION,
        "task": data.task.identity(),
        "data": data.fingerprint,
        "train_size": sizes["train_size"],
        "validation_fraction": suite.validation_fraction,
        **held_out,
    }


def _by_noise(draws: Sequence[Draw]) -> list[list[Draw]]:
    """Group draws that differ only by their rate."""
    groups: dict[tuple[str, int, int], list[Draw]] = {}
    for draw in draws:
        same = (draw.noise, draw.noise_version, draw.noise_seed)
        groups.setdefault(same, []).append(draw)
    return list(groups.values())


def _says_nothing(noise: NoiseSpec) -> bool:
    """Tell whether at rate 1 all true classes have the same given labels, which are random then."""
    if noise.transition is None:
        return False
    try:
        transition = np.asarray(noise.transition(1.0, _SOME_CLASSES))
        return bool(np.allclose(transition, transition[0]))
    except Exception:  # networks with this noise will fail with it
        return False


def _chosen_decoders(suite: Suite, registry: Registry, slow: bool) -> list[DecoderSpec]:
    asked = (ALL,) if suite.decoders == ALL else suite.decoders
    found: dict[str, DecoderSpec] = {}
    for name in asked:
        if name != ALL:
            found[name] = registry.decoders.find(name)
            continue
        specs = [registry.decoders[each] for each in registry.decoders]
        found |= {spec.name: spec for spec in specs if slow or not spec.slow}
    return list(found.values())
