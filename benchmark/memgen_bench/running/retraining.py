"""Retraining: new networks are trained on the labels that were decoded from memorized ones.

A *successor* of a memorized network has its model, recipe, seeds and images; its labels are those
that a decoder reads out of a layer of the memorized network, or of pixels as a control. It is
trained from the initial weights. Decoder and layer are those with the highest accuracy on noisy
validation labels; true labels are used only to measure how good the new labels are.

The published experiment (Ketha & Ramaswamy, arXiv 2501.14687) chooses the layer, and stops the
training, on clean test labels.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import polars as pl

from memgen_bench.compute import compute_exactly, find_device, keep_freed_memory, tensor_of, threads
from memgen_bench.data.planned_data import PlannedData
from memgen_bench.decode.reader import Reader
from memgen_bench.errors import TrainingError, UsageError, error_type_of, one_line
from memgen_bench.hashing import array_digest, digest, network_id
from memgen_bench.network.trainer import Trainer
from memgen_bench.network.training import predict
from memgen_bench.protocol import ALL_LAYERS, READOUT
from memgen_bench.results.environment import code_commit, environment
from memgen_bench.results.rows import network_row
from memgen_bench.results.schemas import SUCCESSORS
from memgen_bench.results.store import read_frame, table, write_part
from memgen_bench.running.locks import Locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

    from memgen_bench.arrays import LabelVector
    from memgen_bench.messages import Report, RunSettings
    from memgen_bench.network.trainer import Trained
    from memgen_bench.plan.plan import Plan, PlannedNetwork, Reading

Source = Literal["network", "pixels"]


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A memorized network, and the reading whose labels its successor is trained on.

    Attributes:
        network: The memorized network.
        read: The network that is read: the same, or the pixels of its images.
        reading: The reading of it.
    """

    network: PlannedNetwork
    read: PlannedNetwork
    reading: Reading

    @property
    def source(self) -> Source:
        """Where the labels come from."""
        return "pixels" if self.read.kind == "features" else "network"


Parents: TypeAlias = dict[str, Parent]  # by the successor's key

# The columns of readings that the choice of a decoder needs.
COLUMNS = (
    *("key", "network_id", "epoch", "labels", "decoder", "layer", "layer_index", "told_noise"),
    *("saw_test", "status", "validation_accuracy", "test_accuracy"),
    *("kind", "model", "fitted_on", "noise", "rate", "noise_seed"),
)
_PIXELS = "pixels"


def choose(readings: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Choose decoder and layer for each network: the best on its noisy validation labels.

    Args:
        readings: Rows with `COLUMNS`. Only `ok` rows on corrupted labels count, of decoders of one
            layer that were not told the noise and saw no test labels.
        source: `network`: choose among the layers of memorized networks; `pixels`: among readings
            of the pixels.

    Returns:
        A row of `readings` for each network and draw; ties go to the earlier layer, then by name.
    """
    of_pixels = (pl.col("kind") == "features") & (pl.col("model") == _PIXELS)
    own = of_pixels if source == "pixels" else pl.col("kind") == "memorized"
    fair = ~pl.col("told_noise"), ~pl.col("saw_test").fill_null(False)
    candidates = readings.filter(
        own,
        *fair,
        pl.col("epoch").is_null(),
        pl.col("layer") != ALL_LAYERS,
        pl.col("decoder") != READOUT,
        pl.col("validation_accuracy").is_not_null(),
        status="ok",
        labels="corrupted",
        fitted_on="training",
    )
    merit = pl.col("validation_accuracy").round(12)
    best_first = candidates.sort(merit.neg(), "layer_index", "decoder")
    each = ["network_id", "noise", "rate", "noise_seed"]
    return best_first.unique(each, keep="first", maintain_order=True).sort(each)


def key_of(parent: Parent) -> str:
    """Return the key of the successor that is trained on a reading's labels."""
    of_network = {"network": parent.network.network_id} if parent.source == "pixels" else {}
    return digest({"successor": parent.reading.key, **of_network})


def find_parents(plan: Plan, results: Path, source: Source) -> Parents:
    """Return the memorized networks of a plan that can have a successor, and their best readings.

    Raises:
        UsageError: There is no reading to choose.
    """
    kind = "features" if source == "pixels" else "memorized"
    planned = {
        reading.key: (network, reading)
        for network in plan.networks
        if network.kind == kind
        for reading in network.readings
    }
    readings = read_frame(results, "readings", COLUMNS)
    chosen = choose(readings.filter(readings["key"].is_in(list(planned))), source)["key"]
    best = [planned[key] for key in chosen]
    if not best:
        suites = read_frame(results, "plans", ["suite"])["suite"].unique().sort()
        there = ", ".join(suites.to_list()) or "none"
        raise UsageError(
            f"{results} has no readings on noisy validation labels to choose a decoder of suite "
            f"{plan.suite.name} by; there are readings of {there}: name a suite with --suite, and "
            "the options that it was run with"
        )
    memorized = [network for network in plan.networks if network.kind == "memorized"]
    parents = [
        Parent(network=network, read=read, reading=reading)
        for network in memorized
        for read, reading in best
        if read is network or (source == "pixels" and _is_of(read, reading, network))
    ]
    return {key_of(parent): parent for parent in parents}


def _is_of(pixels: PlannedNetwork, reading: Reading, network: PlannedNetwork) -> bool:
    """Tell whether a reading of pixels is of the images and labels of a network."""
    same_images = (pixels.data, pixels.seed) == (network.data, network.seed)
    return same_images and reading.decoding.draw == network.draw


def lacking(parents: Parents, results: Path, *, retry_failed: bool = False) -> Parents:
    """Return the parents whose successor is not in the results, or failed and is tried again."""
    there = read_frame(results, "successors", ["key", "status"])
    done = set(there.filter(~((there["status"] == "failed") & retry_failed))["key"])
    return {key: parent for key, parent in parents.items() if key not in done}


def train_successors(
    parents: Parents, results: Path, settings: RunSettings, report: Report
) -> Iterator[tuple[PlannedNetwork, dict[str, Any] | None]]:
    """Train successors in this process, one after the other, and store each.

    Args:
        parents: The networks to train successors of; see `lacking`.
        results: The results folder.
        settings: The run settings.
        report: Called with the progress of trainings.

    Yields:
        Each parent with the row of its successor, or None if another run trains it.
    """
    with Locks(results) as locks:
        for key, parent in parents.items():
            network = parent.network
            if not locks.take(key):
                yield network, None
                continue
            row = succeed(parent, settings, report)
            write_part(results, "successors", network.network_id, table("successors", [row]))
            locks.give_back(key)
            yield network, row


def succeed(parent: Parent, settings: RunSettings, report: Report) -> dict[str, Any]:
    """Relabel a memorized network's training images, train its successor and measure both.

    Args:
        parent: The memorized network, which is trained if it is not cached, and the reading whose
            decoder and layer relabel the images; see `choose`.
        settings: The run settings.
        report: Called with the progress of trainings.

    Returns:
        A row of the table `successors`; a failed one has the reason.
    """
    compute_exactly()
    keep_freed_memory()
    row = _planned(parent)
    with threads(parent.network.recipe.threads):
        try:
            return row | _measured(parent, settings, report)
        except Exception as error:
            why = {"error_type": error_type_of(error), "message": one_line(error)}
            return row | {"status": "failed", **why}


def _planned(parent: Parent) -> dict[str, Any]:
    network, reading = parent.network, parent.reading
    of_network = network_row(network)
    return {name: of_network[name] for name in SUCCESSORS.names if name in of_network} | {
        "key": key_of(parent),
        "reading": reading.key,
        "source": parent.source,
        "decoder": reading.decoding.decoder,
        "decoder_version": reading.decoding.version,
        "decoder_params": reading.decoding.params,
        "layer": reading.layer,
        "test_count": network.test_size,
        "environment": environment(),
        "code_commit": code_commit(),
        "created": datetime.now(UTC),
    }


def _measured(parent: Parent, settings: RunSettings, report: Report) -> dict[str, Any]:
    network = parent.network
    data = PlannedData(network, settings.plugin_files, settings.data_dir)
    device = find_device(settings.device)
    memorized = Trainer(network, data, device, settings, report).network()
    if not memorized.record.memorized:
        raise TrainingError(f"{network.label}: did not memorize its labels")
    read = memorized
    if parent.read is not network:
        read = Trainer(parent.read, data, device, settings, report).network()
    labels, decoded = _relabel(parent, data, read, device, settings)
    successor, relabelled = _successor(network, data, labels)
    child = Trainer(successor, relabelled, device, settings, report).network()
    x = tensor_of(data.test.x, device)
    before, after = (predict(each.module, x, network.images_at_once) for each in (memorized, child))
    stopped = np.array(memorized.record.best_validation_predictions, dtype=np.int64)
    true, given = data.train.true, data.labels(network.draw).train
    right = after == data.test.true

    def accuracy(predicted: LabelVector) -> float:
        return float(np.mean(predicted == data.test.true))

    return {
        "status": "ok",
        "successor_id": successor.network_id,
        **data.counts,
        "realised_rate": given.realised_rate,
        "noise_id": given.noise_id,
        "memorized": True,
        "labels_right_before": float(np.mean(given.labels == true)),
        "labels_right_after": float(np.mean(labels == true)),
        "labels_changed": float(np.mean(labels != given.labels)),
        "readout_before": accuracy(before),
        "early_stopped": accuracy(stopped[data.test_places]) if len(stopped) else None,
        "decoded": accuracy(decoded),
        "readout_after": float(np.mean(right)),
        "test_correct": np.packbits(right).tobytes(),
        "epochs": child.epochs,
        "stop_reason": child.record.stop_reason,
        "accuracy_given": child.record.accuracy_given,
        "train_seconds": child.record.seconds,
        "device": str(device),
    }


def _relabel(
    parent: Parent,
    data: PlannedData,
    trained: Trained,
    device: torch.device,
    settings: RunSettings,
) -> tuple[LabelVector, LabelVector]:
    """Return the decoder's predictions for all training images and for the test images."""
    everything = copy.copy(data)
    everything.sample = np.arange(len(data.train.true))
    reader = Reader(
        parent.read, everything, trained.module, device, settings.memory, trained.record
    )
    reading = parent.reading
    ((_, outcome),) = reader.outcomes([reading])
    if outcome.predictions is None:
        raise TrainingError(f"{reading.decoding.decoder} on {reading.layer}: {outcome.message}")
    return outcome.predictions.train, outcome.predictions.test


def _successor(
    network: PlannedNetwork, data: PlannedData, labels: LabelVector
) -> tuple[PlannedNetwork, PlannedData]:
    """Return the network that is trained on other labels, and its data."""
    identity = {**network.identity, "labels": array_digest(labels)}
    planned = replace(network, network_id=network_id(identity), identity=identity, checkpoints=())
    return planned, data.relabelled(network.draw, labels)
