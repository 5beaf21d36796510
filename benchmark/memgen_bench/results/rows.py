"""The columns of networks and readings that are known before they are computed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from memgen_bench.protocol import PROTOCOL_VERSION, READOUT
from memgen_bench.results.environment import code_commit, environment

if TYPE_CHECKING:
    from memgen_bench.plan.plan import Draw, PlannedNetwork, Reading
    from memgen_bench.plugin.training_record import TrainingRecord


def network_row(network: PlannedNetwork) -> dict[str, Any]:
    """Return the planned columns of a network's row."""
    return {
        **_network(network),
        **_draw(network.draw),
        **(asdict(network.recipe) if network.kind != "features" else {}),
        "test_count": network.data.test_count,
        "data_fingerprint": network.data.fingerprint,
        "validation_fraction": network.validation_fraction,
        "held_out_fraction": network.held_out_fraction,
        "environment": environment(),
        "code_commit": code_commit(),
    }


def reading_row(network: PlannedNetwork, reading: Reading) -> dict[str, Any]:
    """Return the planned columns of a reading."""
    what = reading.decoding
    return {
        "key": reading.key,
        **_network(network),
        **_draw(what.draw),
        "kind": network.kind_of(what),
        "labels": what.labels,
        "fitted_on": what.fitted_on,
        "decoder": what.decoder or READOUT,
        "decoder_version": what.version,
        "decoder_params": what.params,
        "max_layer_dim": network.max_layer_dim,
        "epoch": reading.epoch,
        "test_count": network.test_size,
        **_layer(network, reading.layer),
    }


def training_row(record: TrainingRecord, from_cache: bool) -> dict[str, Any]:
    """Return the columns that only the row of a trained network has."""
    return {
        "epochs": len(record.loss),
        "stop_reason": record.stop_reason,
        "train_seconds": record.seconds,
        "from_cache": from_cache,
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


def _network(network: PlannedNetwork) -> dict[str, Any]:
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


def _draw(draw: Draw | None) -> dict[str, Any]:
    if draw is None:
        return {"noise": None, "rate": 0.0, "noise_seed": None}
    return {"noise": draw.noise, "rate": draw.rate, "noise_seed": draw.noise_seed}


def _layer(network: PlannedNetwork, name: str) -> dict[str, Any]:
    layer = next((layer for layer in network.layers if layer.name == name), None)
    if layer is None:  # all layers at once, or a network that could not be built
        return {"layer": name}
    return {
        "layer": name,
        "layer_index": layer.index,
        "layer_depth": layer.depth,
        "layer_dim": layer.dim,
        "layer_width": layer.width,
        "pooled": layer.grid is not None,
    }
