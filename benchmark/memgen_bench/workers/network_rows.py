"""The rows of one network: it is trained or loaded, its layers are read, decoded and scored."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from memgen_bench.compute import compute_exactly, find_device, keep_freed_memory, threads
from memgen_bench.data.planned_data import PlannedData
from memgen_bench.decode import decoding
from memgen_bench.decode.decoding import Outcome
from memgen_bench.decode.reader import Reader
from memgen_bench.errors import (
    MemgenError,
    TrainingError,
    WriteError,
    error_type_of,
    is_fault,
    one_line,
    text_of,
)
from memgen_bench.messages import Row, Started
from memgen_bench.network.trainer import Trainer
from memgen_bench.results import rows
from memgen_bench.workers.pending import PendingReadings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch

    from memgen_bench.messages import Report, RunSettings
    from memgen_bench.network.trainer import Trained
    from memgen_bench.plan.plan import PlannedNetwork, Reading
    from memgen_bench.plugin.registry import Catalogue


def run_network(
    network: PlannedNetwork, keys: frozenset[str], settings: RunSettings, report: Report
) -> None:
    """Compute some readings of one network and report a row for it and for each of them.

    Args:
        network: The planned network.
        keys: Keys of the readings to compute.
        settings: The run settings.
        report: Called before each step, and with each row as soon as it is ready; readings that
            fail have rows, too.

    Raises:
        WriteError: The network cannot be cached, so that its readings are not made.
    """
    for _ in _lasting_changes(network, keys, settings, report):
        pass  # there is no other process to go on in


def run_until_changed(
    network: PlannedNetwork, keys: frozenset[str], settings: RunSettings, report: Report
) -> bool:
    """Do as `run_network`, but end after a decoder that changed this process for good.

    Returns:
        Whether one did: another process should go on with the readings that are left.
    """
    return any(_lasting_changes(network, keys, settings, report))


def _lasting_changes(
    network: PlannedNetwork, keys: frozenset[str], settings: RunSettings, report: Report
) -> Iterator[bool]:
    """Compute and report rows; yield after each reading whether it changed the process for good."""
    compute_exactly()
    keep_freed_memory()
    progress = PendingReadings(keys, report)
    with threads(network.recipe.threads):
        try:
            yield from _run(network, keys, settings, progress)
        except WriteError:
            raise
        except GeneratorExit:  # nobody asks for more
            raise
        except BaseException as error:
            if not is_fault(error):
                raise
            progress.fail(network, progress.left, one_line(_said(error)), error_type_of(error))


def _run(
    network: PlannedNetwork, keys: frozenset[str], settings: RunSettings, report: Report
) -> Iterator[bool]:
    report(Started())
    if network.fault:
        raise TrainingError(network.fault)
    data = PlannedData(network, settings.plugin_files, settings.data_dir)
    device = find_device(settings.device)
    trainer = Trainer(network, data, device, settings, report)
    trained = trainer.network()
    report(Row("networks", _network_row(network, data, trained, device)))
    readings = [reading for reading in network.readings if reading.key in keys]
    for (epoch, points), part in groupby(readings, lambda r: (r.epoch, r.decoding.fitted_on)):
        fitted = data.fitted_on(points)
        if epoch and epoch > trained.epochs:
            outcomes = _skipped(part, f"the training ended after epoch {trained.epochs}")
        else:
            module = trainer.at(epoch, trained) if epoch else trained.module
            reader = Reader(
                network,
                fitted,
                module,
                device,
                settings.memory,
                trained.record,
                trained.trajectory,
            )
            outcomes = reader.outcomes(list(part), lambda key: report(Started(key)))
        for reading, outcome in outcomes:
            report(Row("readings", _row(network, fitted, trained, reading, outcome)))
            yield bool(outcome.lasting)


def _skipped(readings: Iterable[Reading], message: str) -> Iterator[tuple[Reading, Outcome]]:
    return ((reading, Outcome(status="skipped", message=message)) for reading in readings)


def _said(error: BaseException) -> BaseException | str:
    """Return the message of our own errors, and other errors as they are, to show their type."""
    return text_of(error) if isinstance(error, MemgenError) else error


def _row(
    network: PlannedNetwork,
    data: PlannedData,
    trained: Trained,
    reading: Reading,
    outcome: Outcome,
) -> dict[str, Any]:
    what = reading.decoding
    labels = data.labels(what.draw)
    row = rows.reading_row(network, reading) | {
        "memorized": _memorized(network, trained) if reading.epoch is None else None,
        **data.counts,
        "realised_rate": labels.train.realised_rate,
        "noise_id": labels.train.noise_id if what.draw else None,
        "rankable": labels.rankable,
        "status": outcome.status,
        "error_type": outcome.error_type,
        "message": outcome.message,
        "chosen": outcome.chosen,
        "fit_seconds": outcome.fit_seconds,
        "predict_seconds": outcome.predict_seconds,
        **_about_decoder(data, what.decoder),
    }
    if outcome.predictions is None:
        return row
    return row | decoding.scores(
        outcome.predictions,
        train_given=labels.train.labels[data.sample],
        train_true=data.train.true[data.sample],
        validation_given=labels.validation.labels,
        test_true=data.test.true,
        num_classes=data.num_classes,
    )


def _about_decoder(data: PlannedData, name: str | None) -> dict[str, Any]:
    decoders = data.registry.decoders
    if name is None:
        return {"told_noise": False, "saw_test": False}
    needs = decoders[name].needs
    releases = dict.fromkeys(decoders.plugin(part).release for part in decoders.stages(name))
    return {
        "told_noise": "transition" in needs,
        "saw_test": "test" in needs,
        "decoder_plugin": ", ".join(releases),
    }


def _source(data: PlannedData, network: PlannedNetwork) -> Catalogue[Any]:
    """Return the catalogue that a network's model, or its features, come from."""
    return data.registry.catalogue("feature" if network.kind == "features" else "model")


def _memorized(network: PlannedNetwork, trained: Trained) -> bool | None:
    return trained.record.memorized if network.is_trained else None


def _network_row(
    network: PlannedNetwork, data: PlannedData, trained: Trained, device: torch.device
) -> dict[str, Any]:
    record, labels = trained.record, data.labels(network.draw).train
    row = rows.network_row(network) | {
        "status": "ok",
        "memorized": _memorized(network, trained),
        **data.counts,
        "realised_rate": labels.realised_rate,
        "noise_id": labels.noise_id if network.draw else None,
        "model_plugin": _source(data, network).plugin(network.model).release,
        "parameter_count": sum(p.numel() for p in trained.module.parameters()),
        "device": str(device),
    }
    return row | rows.training_row(record, trained.from_cache) if network.is_trained else row
