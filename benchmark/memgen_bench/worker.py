"""One network from data to rows: train or load it, read its layers, decode, score."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench import decoding, store
from memgen_bench.cache import NetworkCache
from memgen_bench.compute import find_device, threads
from memgen_bench.corruption import CorruptedLabels, corrupt, rankable
from memgen_bench.datasets import load_data
from memgen_bench.decoding import Extras, Outcome, Parts, Predictions
from memgen_bench.environment import code_commit, environment
from memgen_bench.errors import DataError, TrainingError, one_line
from memgen_bench.features import extract
from memgen_bench.identity import array_digest
from memgen_bench.layers import INPUT, LOGITS
from memgen_bench.plan import ALL_LAYERS
from memgen_bench.protocol import PROTOCOL_VERSION, READOUT
from memgen_bench.registry import load_registry
from memgen_bench.splits import Split, split_train, test_subset
from memgen_bench.training import TrainingData, TrainingRecord, initial_module, train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    import torch
    from torch import nn

    from memgen_bench.plan import Draw, PlannedNetwork, Reading
    from memgen_bench.registry import Registry
    from memgen_bench.specs import Data, Labels


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a worker needs to know of the run; plain values, so that it travels.

    Attributes:
        plugin_files: Plugins that are not installed.
        data_dir: Where data sets are.
        network_dir: Where trained networks are kept.
        device: A device's name.
    """

    plugin_files: tuple[str, ...]
    data_dir: Path
    network_dir: Path
    device: str


@dataclass(frozen=True)
class Result:
    """The rows of one network, ready to be stored."""

    networks: pa.Table
    readings: pa.Table


@dataclass(frozen=True)
class Epoch:
    """News from a training: which network, its epoch, and its running train accuracy."""

    label: str
    epoch: int
    max_epochs: int
    train_accuracy: float


def run_network(
    network: PlannedNetwork,
    keys: frozenset[str],
    setting: Setting,
    report: Callable[[Epoch], None],
) -> Result:
    """Compute some readings of one network.

    Args:
        network: What is planned.
        keys: Which of its readings to compute.
        setting: The run.
        report: Called now and then while it is trained.

    Returns:
        One network row and one row for each key, whatever fails.
    """
    readings = [reading for reading in network.readings if reading.key in keys]
    with threads(network.recipe.threads):
        try:
            if network.fault:
                raise TrainingError(network.fault)
            bench = _Bench(network, setting)
            trained = bench.train_or_load(report)
            rows = bench.read(trained, readings)
        except DataError:
            raise  # nothing of this data set can work: the run says so and stops
        except Exception as error:
            return _failed(network, readings, setting, error)
    return Result(
        store.table("networks", [bench.network_row(trained)]), store.table("readings", rows)
    )


@dataclass(frozen=True, kw_only=True)
class _Trained:
    module: nn.Module
    record: TrainingRecord
    from_cache: bool = False


@dataclass
class _Bench:
    """One network's data, labels and names, looked up once."""

    network: PlannedNetwork
    setting: Setting
    registry: Registry = field(init=False)
    data: Data = field(init=False)
    split: Split = field(init=False)
    device: torch.device = field(init=False)

    def __post_init__(self) -> None:
        network, setting = self.network, self.setting
        self.registry = _registry(setting.plugin_files)
        self.data = _data(
            network.data.name, network.data.fingerprint, setting.plugin_files, setting.data_dir
        )
        self.device = find_device(setting.device)
        self.split = split_train(
            self.data.train_y,
            seed=network.seed,
            train_size=network.train_size,
            validation_fraction=network.validation_fraction,
        )
        self.test = test_subset(self.data.test_y, network.test_size)
        self.num_classes = network.data.task.num_classes
        self._draws: dict[Draw | None, _DrawnLabels] = {}

    def labels(self, draw: Draw | None) -> _DrawnLabels:
        """Return the labels of a draw on this network's split."""
        if draw not in self._draws:
            self._draws[draw] = _draw_labels(self, draw)
        return self._draws[draw]

    def train_or_load(self, report: Callable[[Epoch], None]) -> _Trained:
        """Return the network: untrained, from the cache, or trained now and cached."""
        network = self.network
        spec = self.registry.models.find(network.model)
        module = initial_module(spec, network.data.task, network.init_seed).to(self.device)
        if network.kind == "untrained":
            return _Trained(module=module, record=TrainingRecord())
        cache = NetworkCache(self.setting.network_dir)
        if cached := cache.load(network.network_id):
            weights, record = cached
            module.load_state_dict(weights)
            return _Trained(module=module, record=record, from_cache=True)
        record = self._train(module, report)
        cache.save(network.network_id, module.state_dict(), record, {"network": network.label})
        return _Trained(module=module, record=record)

    def _train(self, module: nn.Module, report: Callable[[Epoch], None]) -> TrainingRecord:
        network, data, split = self.network, self.data, self.split
        labels = self.labels(network.draw)
        assert network.order_seed is not None  # every trained network has one
        return train(
            module,
            TrainingData(
                x=data.train_x[split.train],
                given=labels.train.labels,
                true=data.train_y[split.train],
                validation_x=data.train_x[split.validation],
                validation_given=labels.validation.labels,
                test_x=data.test_x,
                test_y=data.test_y,
            ),
            network.recipe,
            order_seed=network.order_seed,
            device=self.device,
            on_epoch=_Throttle(network, report),
        )

    def read(self, trained: _Trained, readings: Sequence[Reading]) -> list[dict[str, Any]]:
        """Return the rows of some readings."""
        needed = self._needed_layers(readings)
        parts = [
            extract(trained.module, images, needed, device=self.device)
            for images in (
                self.data.train_x[self.split.train],
                self.data.train_x[self.split.validation],
                self.data.test_x[self.test],
            )
        ]
        return [self._row(reading, trained, parts) for reading in readings]

    def _needed_layers(self, readings: Sequence[Reading]) -> list[Any]:
        names = {reading.layer for reading in readings}
        everything = ALL_LAYERS in names
        return [
            layer
            for layer in self.network.layers
            if layer.name in names or (everything and layer.name != INPUT)
        ]

    def _row(
        self, reading: Reading, trained: _Trained, features: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        labels = self.labels(reading.decoding.draw)
        outcome = self._outcome(reading, trained, features, labels)
        row = _reading_row(self.network, reading, self.setting) | {
            "memorized": self._memorized(trained),
            "train_count": len(self.split.train),
            "validation_count": len(self.split.validation),
            "rankable": labels.rankable,
            "status": outcome.status,
            "error_type": outcome.error_type,
            "message": outcome.message,
            "fit_seconds": outcome.fit_seconds,
            "predict_seconds": outcome.predict_seconds,
            "told_noise": self._told_noise(reading),
        }
        if reading.decoding.draw:
            row |= {"realised_rate": labels.train.realised_rate, "noise_id": labels.train.noise_id}
        if outcome.predictions is not None:
            row |= self._scores(outcome.predictions, labels)
        return row

    def _told_noise(self, reading: Reading) -> bool:
        name = reading.decoding.decoder
        return name is not None and "transition" in self.registry.decoders[name].needs

    def _memorized(self, trained: _Trained) -> bool | None:
        return trained.record.memorized if self.network.kind != "untrained" else None

    def _outcome(
        self,
        reading: Reading,
        trained: _Trained,
        features: Sequence[Mapping[str, Any]],
        labels: _DrawnLabels,
    ) -> Outcome:
        name = reading.decoding.decoder
        if name is None:
            return _readout(features, self.split)
        spec = self.registry.decoders.find(name)
        if spec.scope == "network":
            own = [{k: v for k, v in part.items() if k != INPUT} for part in features]
        else:
            own = [part[reading.layer] for part in features]
        train, validation, test = own
        true_labels = self.data.train_y[self.split.train].astype(np.int64)
        return decoding.decode(
            spec,
            Parts(train=train, validation=validation, test=test, sample=self.split.sample),
            true_labels if reading.decoding.labels == "true" else labels.train.labels,
            Extras(
                validation_labels=labels.validation.labels,
                transition=labels.transition,
                module=trained.module,
                seed=decoding.seed_of(self.network.seed),
                device=self.device,
            ),
            self.num_classes,
        )

    def _scores(self, predictions: Predictions, labels: _DrawnLabels) -> dict[str, Any]:
        return decoding.scores(
            predictions,
            train_given=labels.train.labels[self.split.sample],
            train_true=self.data.train_y[self.split.train][self.split.sample],
            validation_given=labels.validation.labels,
            test_true=self.data.test_y[self.test],
            num_classes=self.num_classes,
        )

    def network_row(self, trained: _Trained) -> dict[str, Any]:
        """Return the row of the networks table."""
        network, record = self.network, trained.record
        labels = self.labels(network.draw).train
        row = _network_row(network, self.setting) | {
            "status": "ok",
            "train_count": len(self.split.train),
            "validation_count": len(self.split.validation),
            "realised_rate": labels.realised_rate if network.draw else None,
            "noise_id": labels.noise_id if network.draw else None,
            "parameter_count": sum(p.numel() for p in trained.module.parameters()),
            "device": str(self.device),
        }
        if network.kind == "untrained":
            return row
        return row | {
            "memorized": record.memorized,
            "epochs": len(record.loss),
            "stop_reason": record.stop_reason,
            "train_seconds": record.seconds,
            "from_cache": trained.from_cache,
            "accuracy_given": record.accuracy_given,
            "accuracy_wrong": record.accuracy_wrong,
            "curve_loss": record.loss,
            "curve_train_accuracy": record.train_accuracy,
            "curve_validation_accuracy": record.validation_accuracy,
            "curve_test_accuracy": record.test_accuracy,
            "best_validation_epoch": record.best_validation_epoch or None,
            "best_validation_predictions": record.best_validation_predictions or None,
            "best_test_epoch": record.best_test_epoch,
            "best_test_predictions": record.best_test_predictions,
        }


@dataclass(frozen=True, kw_only=True)
class _DrawnLabels:
    train: CorruptedLabels
    validation: CorruptedLabels
    transition: Any
    rankable: bool


def _draw_labels(bench: _Bench, draw: Draw | None) -> _DrawnLabels:
    """Corrupt both parts of a split, each from its own stream."""
    noise = bench.registry.noises.find(draw.noise) if draw else None
    rate, noise_seed = (draw.rate, draw.noise_seed) if draw else (0.0, 0)

    def drawn(index: Any, purpose: str) -> CorruptedLabels:
        true: Labels = bench.data.train_y[index].astype(np.int64)
        return corrupt(
            noise,
            true,
            rate=rate,
            num_classes=bench.num_classes,
            noise_seed=noise_seed,
            purpose=purpose,
        )

    return _DrawnLabels(
        train=drawn(bench.split.train, "noise"),
        validation=drawn(bench.split.validation, "validation_noise"),
        transition=(
            noise.transition(rate, bench.num_classes) if noise else np.eye(bench.num_classes)
        ),
        rankable=rankable(noise, rate, bench.num_classes) if noise else True,
    )


def _readout(features: Sequence[Mapping[str, Any]], split: Split) -> Outcome:
    train, validation, test = (part[LOGITS] for part in features)
    if not np.isfinite(test).all():
        return decoding.failure("logits are not finite", "nan")
    return Outcome(
        status="ok",
        predictions=Predictions(
            train=train[split.sample].argmax(1),
            validation=validation.argmax(1),
            test=test.argmax(1),
        ),
    )


class _Throttle:
    """Passes on at most a few epochs a second."""

    def __init__(self, network: PlannedNetwork, report: Callable[[Epoch], None]) -> None:
        self.network, self.report, self.next = network, report, 0.0

    def __call__(self, epoch: int, train_accuracy: float) -> None:
        if (now := time.monotonic()) >= self.next:
            self.next = now + 0.2
            most = self.network.recipe.max_epochs
            self.report(Epoch(self.network.label, epoch, most, train_accuracy))


@functools.lru_cache(maxsize=4)
def _registry(plugin_files: tuple[str, ...]) -> Registry:
    return load_registry(plugin_files)


@functools.lru_cache(maxsize=1)
def _data(name: str, fingerprint: str, plugin_files: tuple[str, ...], data_dir: Path) -> Data:
    data = load_data(_registry(plugin_files).datasets.find(name), data_dir)
    found = array_digest(data.train_x, data.train_y, data.test_x, data.test_y)
    if found != fingerprint:
        raise DataError(
            f"data set {name!r} changed without its files changing (fingerprint {found}, planned "
            f"{fingerprint}); raise its version, or run again if its files were just replaced"
        )
    return data


def _common(network: PlannedNetwork, setting: Setting) -> dict[str, Any]:
    return {
        "network_id": network.network_id,
        "protocol_version": PROTOCOL_VERSION,
        "model": network.model,
        "dataset": network.data.name,
        "seed": network.seed,
        "init_seed": network.init_seed,
        "order_seed": network.order_seed,
        "kind": network.kind,
        "num_classes": network.data.task.num_classes,
        "created": datetime.now(UTC),
    }


def _drawn(draw: Draw | None) -> dict[str, Any]:
    if draw is None:
        return {"noise": None, "rate": 0.0, "noise_seed": None, "realised_rate": 0.0}
    return {"noise": draw.noise, "rate": draw.rate, "noise_seed": draw.noise_seed}


def _network_row(network: PlannedNetwork, setting: Setting) -> dict[str, Any]:
    recipe = {f"{key}": value for key, value in vars(network.recipe).items()}
    return {
        **_common(network, setting),
        **_drawn(network.draw),
        **recipe,
        "test_count": network.data.test_count,
        "data_fingerprint": network.data.fingerprint,
        "validation_fraction": network.validation_fraction,
        "environment": environment(),
        "code_commit": code_commit(),
    }


def _reading_row(network: PlannedNetwork, reading: Reading, setting: Setting) -> dict[str, Any]:
    what = reading.decoding
    row = {
        "key": reading.key,
        **_common(network, setting),
        **_drawn(what.draw),
        "labels": what.labels,
        "decoder": what.decoder or READOUT,
        "decoder_version": what.version,
        "decoder_params": what.params,
        "layer": reading.layer,
        "max_layer_dim": network.max_layer_dim,
        "test_count": network.test_size,
    }
    layer = next((layer for layer in network.layers if layer.name == reading.layer), None)
    if layer is not None:
        row |= {
            "layer_index": layer.index,
            "layer_depth": layer.depth,
            "layer_dim": layer.dim,
            "layer_width": layer.width,
            "pooled": layer.grid is not None,
        }
    return row


def _failed(
    network: PlannedNetwork, readings: Sequence[Reading], setting: Setting, error: Exception
) -> Result:
    """Return rows that say why a network has no readings."""
    kind = error.error_type if isinstance(error, TrainingError) else "error"
    if isinstance(error, MemoryError) or "out of memory" in str(error):
        kind = "oom"
    message = one_line(str(error) if isinstance(error, TrainingError) else error)
    why = {"status": "failed", "error_type": kind, "message": message}
    return Result(
        store.table("networks", [_network_row(network, setting) | why]),
        store.table(
            "readings", [_reading_row(network, reading, setting) | why for reading in readings]
        ),
    )
