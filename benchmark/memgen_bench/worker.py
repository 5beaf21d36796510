"""One network from data to rows: train or load it, read its layers, decode, score."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memgen_bench import decoding, rows
from memgen_bench.cache import NetworkCache
from memgen_bench.checkpoint import Checkpoint
from memgen_bench.compute import compute_exactly, find_device, keep_freed_memory, threads
from memgen_bench.errors import MemgenError, TrainingError, WriteError, error_type_of, one_line
from memgen_bench.materials import Materials
from memgen_bench.messages import Epoch, Row, Started
from memgen_bench.progress import Progress
from memgen_bench.reader import Reader
from memgen_bench.training import TrainingData, TrainingRecord, initial_module, train

if TYPE_CHECKING:
    import torch
    from torch import nn

    from memgen_bench.decoding import Outcome
    from memgen_bench.messages import Report, Setting
    from memgen_bench.plan import PlannedNetwork, Reading


def run_network(
    network: PlannedNetwork, keys: frozenset[str], setting: Setting, report: Report
) -> None:
    """Compute some readings of one network and report a row for it, and for each of them.

    Args:
        network: What is planned.
        keys: Which of its readings to compute.
        setting: The run.
        report: Called with each row as soon as it is there, whatever fails, and before each step.

    Raises:
        WriteError: The network cannot be kept, which is no fault of its own.
    """
    compute_exactly()
    keep_freed_memory()
    progress = Progress(keys, report)
    with threads(network.recipe.threads):
        try:
            _run(network, keys, setting, progress)
        except WriteError:
            raise
        except (Exception, SystemExit) as error:
            progress.fail(network, progress.left, one_line(_said(error)), error_type_of(error))


def _run(network: PlannedNetwork, keys: frozenset[str], setting: Setting, report: Report) -> None:
    report(Started())
    if network.fault:
        raise TrainingError(network.fault)
    materials = Materials(network, setting.plugin_files, setting.data_dir)
    device = find_device(setting.device)
    trained = train_or_load(network, materials, device, setting, report)
    report(Row("networks", _network_row(network, materials, trained, device)))
    readings = [reading for reading in network.readings if reading.key in keys]
    reader = Reader(network, materials, trained.module, device, setting.memory, trained.record)
    for reading, outcome in reader.outcomes(readings, lambda key: report(Started(key))):
        report(Row("readings", _row(network, materials, trained, reading, outcome)))


def _said(error: BaseException) -> BaseException | str:
    """Our own errors say all; others need their type beside them."""
    return str(error) if isinstance(error, MemgenError) else error


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A network, how its training went, and whether that was an earlier run's."""

    module: nn.Module
    record: TrainingRecord
    from_cache: bool = False


def train_or_load(
    network: PlannedNetwork,
    materials: Materials,
    device: torch.device,
    setting: Setting,
    report: Report,
) -> Trained:
    """Return the network: untrained, from the cache, or trained now and cached."""
    spec = materials.registry.models.find(network.model)
    module = initial_module(spec, network.data.task, network.init_seed).to(device)
    if network.kind == "untrained":
        return Trained(module=module, record=TrainingRecord())
    cache = NetworkCache(setting.network_dir, setting.shared_caches)
    if not setting.fresh and (record := cache.load(network.network_id, module)):
        return Trained(module=module, record=record, from_cache=True)
    checkpoint = Checkpoint(cache.folder, network, setting.checkpoint_minutes)
    record = _train(network, materials, module, device, checkpoint, report)
    try:
        cache.save(network, module, record)
        checkpoint.remove()
    except MemgenError as error:  # its readings are worth having all the same
        warnings.warn(f"{network.label} is not cached: {error}", stacklevel=2)
    return Trained(module=module, record=record)


def _train(
    network: PlannedNetwork,
    materials: Materials,
    module: nn.Module,
    device: torch.device,
    checkpoint: Checkpoint,
    report: Report,
) -> TrainingRecord:
    labels = materials.labels(network.draw)
    assert network.order_seed is not None  # every trained network has one
    return train(
        module,
        TrainingData(
            x=materials.train.x,
            given=labels.train.labels,
            true=materials.train.true,
            validation_x=materials.validation.x,
            validation_given=labels.validation.labels,
            test_x=materials.whole_test.x,
            test_y=materials.whole_test.true,
        ),
        network.recipe,
        order_seed=network.order_seed,
        device=device,
        on_epoch=_Throttle(network, report),
        checkpoint=checkpoint,
    )


class _Throttle:
    """Passes on at most a few epochs a second."""

    def __init__(self, network: PlannedNetwork, report: Report) -> None:
        self.network, self.report, self.next = network, report, 0.0

    def __call__(self, epoch: int, train_accuracy: float) -> None:
        if (now := time.monotonic()) >= self.next:
            self.next = now + 0.2
            most = self.network.recipe.max_epochs
            self.report(Epoch(self.network.label, epoch, most, train_accuracy))


def _row(
    network: PlannedNetwork,
    materials: Materials,
    trained: Trained,
    reading: Reading,
    outcome: Outcome,
) -> dict[str, Any]:
    what = reading.decoding
    labels = materials.labels(what.draw)
    row = rows.reading_row(network, reading) | {
        "memorized": _memorized(network, trained),
        "train_count": len(materials.train.true),
        "validation_count": len(materials.validation.true),
        "realised_rate": labels.train.realised_rate,
        "noise_id": labels.train.noise_id if what.draw else None,
        "rankable": labels.rankable,
        "status": outcome.status,
        "error_type": outcome.error_type,
        "message": outcome.message,
        "chosen": outcome.chosen,
        "fit_seconds": outcome.fit_seconds,
        "predict_seconds": outcome.predict_seconds,
        **_about_decoder(materials, what.decoder),
    }
    if outcome.predictions is None:
        return row
    return row | decoding.scores(
        outcome.predictions,
        train_given=labels.train.labels[materials.sample],
        train_true=materials.train.true[materials.sample],
        validation_given=labels.validation.labels,
        test_true=materials.test.true,
        num_classes=materials.num_classes,
    )


def _about_decoder(materials: Materials, name: str | None) -> dict[str, Any]:
    decoders = materials.registry.decoders
    if name is None:
        return {"told_noise": False, "saw_test": False}
    needs = decoders[name].needs
    releases = dict.fromkeys(decoders.plugin(part).release for part in decoders.parts(name))
    return {
        "told_noise": "transition" in needs,
        "saw_test": "test" in needs,
        "decoder_plugin": ", ".join(releases),
    }


def _memorized(network: PlannedNetwork, trained: Trained) -> bool | None:
    return trained.record.memorized if network.kind != "untrained" else None


def _network_row(
    network: PlannedNetwork, materials: Materials, trained: Trained, device: torch.device
) -> dict[str, Any]:
    record, labels = trained.record, materials.labels(network.draw).train
    row = rows.network_row(network) | {
        "status": "ok",
        "memorized": _memorized(network, trained),
        "train_count": len(materials.train.true),
        "validation_count": len(materials.validation.true),
        "realised_rate": labels.realised_rate,
        "noise_id": labels.noise_id if network.draw else None,
        "model_plugin": materials.registry.models.plugin(network.model).release,
        "parameter_count": sum(p.numel() for p in trained.module.parameters()),
        "device": str(device),
    }
    return (
        row if network.kind == "untrained" else row | rows.training_row(record, trained.from_cache)
    )
