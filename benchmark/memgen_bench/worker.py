"""One network from data to rows: train or load it, read its layers, decode, score."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from memgen_bench import decoding, rows
from memgen_bench.compute import compute_exactly, find_device, keep_freed_memory, threads
from memgen_bench.decoding import Outcome
from memgen_bench.errors import MemgenError, TrainingError, WriteError, error_type_of, one_line
from memgen_bench.materials import Materials
from memgen_bench.messages import Row, Started
from memgen_bench.progress import Progress
from memgen_bench.reader import Reader
from memgen_bench.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch

    from memgen_bench.messages import Report, Setting
    from memgen_bench.plan import PlannedNetwork, Reading
    from memgen_bench.trainer import Trained


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
    trainer = Trainer(network, materials, device, setting, report)
    trained = trainer.network()
    report(Row("networks", _network_row(network, materials, trained, device)))
    readings = [reading for reading in network.readings if reading.key in keys]
    for epoch, part in groupby(readings, lambda reading: reading.epoch):
        if epoch and epoch > trained.epochs:
            outcomes = _skipped(part, f"the training ended after epoch {trained.epochs}")
        else:
            module = trainer.at(epoch, trained) if epoch else trained.module
            reader = Reader(network, materials, module, device, setting.memory, trained.record)
            outcomes = reader.outcomes(list(part), lambda key: report(Started(key)))
        for reading, outcome in outcomes:
            report(Row("readings", _row(network, materials, trained, reading, outcome)))


def _skipped(readings: Iterable[Reading], message: str) -> Iterator[tuple[Reading, Outcome]]:
    return ((reading, Outcome(status="skipped", message=message)) for reading in readings)


def _said(error: BaseException) -> BaseException | str:
    """Our own errors say all; others need their type beside them."""
    return str(error) if isinstance(error, MemgenError) else error


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
        "memorized": _memorized(network, trained) if reading.epoch is None else None,
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
