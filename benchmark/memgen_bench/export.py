"""From a planned network to a fixture: train or load it, read its layers, freeze them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench.compute import compute_exactly, threads
from memgen_bench.errors import FixtureError, UsageError
from memgen_bench.features import extract
from memgen_bench.fixtures import new_fixture
from memgen_bench.materials import Materials
from memgen_bench.protocol import INPUT, LOGITS
from memgen_bench.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from memgen_bench.fixtures import Fixture
    from memgen_bench.messages import Message, Setting
    from memgen_bench.plan import Layer, PlannedNetwork
    from memgen_bench.specs import Labels
    from memgen_bench.trainer import Trained

CPU = torch.device("cpu")
# Fresh draws are drawn from streams of this seed: no network was trained on them.
_DRAWS_SEED = 1_000_000


def _nobody(_: Message) -> None:
    """Nobody wants to know how far a training is."""


def export(
    network: PlannedNetwork,
    setting: Setting,
    *,
    layers: Sequence[str] = (),
    draws: int = 1,
    report: Callable[[Message], None] = _nobody,
) -> Fixture:
    """Return the fixture of a memorized network, which is trained where it is not cached.

    Args:
        network: What is planned; computed on the CPU.
        setting: The run.
        layers: Names of the layers to freeze; all of the network's own but the logits by default.
        draws: Draws of labels; several where labels say nothing of the true ones (uniform noise
            at rate 1), else one. They come in groups of K, in which a draw's labels are those of
            the one before plus one, modulo K: every label is equally often given to every point.
        report: Told how far the training is.

    Raises:
        UsageError: A layer that is not there, or draws that make no sense.
        FixtureError: The network did not memorize its labels.
    """
    compute_exactly()
    with threads(network.recipe.threads):
        materials = Materials(network, setting.plugin_files, setting.data_dir)
        trained = Trainer(network, materials, CPU, setting, report).network()
        if network.draw is None or not trained.record.memorized:
            raise FixtureError(f"{network.label}: did not memorize its labels; train it longer")
        chosen = [_layer(network, name) for name in layers or _own_layers(network)]
        parts = [
            extract(trained.module, part.x, chosen, device=CPU)
            for part in (materials.train, materials.validation, materials.test)
        ]
        about = _about(network, materials, trained)
    return new_fixture(
        fixture_name(network),
        about,
        {
            layer.name: (parts[0][layer.name], parts[1][layer.name], parts[2][layer.name])
            for layer in chosen
        },
        _given(network, materials, draws),
        materials.test.true,
    )


def fixture_name(network: PlannedNetwork) -> str:
    """Return what the fixture of a memorized network is called, its seed left out."""
    assert network.draw is not None  # a memorized one has labels of its own
    words = (network.data.name, network.model, network.draw.noise, f"{network.draw.rate:g}")
    return "-".join(words).replace("/", "-")


def _own_layers(network: PlannedNetwork) -> list[str]:
    return [layer.name for layer in network.layers if layer.name not in (INPUT, LOGITS)]


def _layer(network: PlannedNetwork, name: str) -> Layer:
    for layer in network.layers:
        if layer.name == name:
            return layer
    known = ", ".join(layer.name for layer in network.layers)
    raise UsageError(f"{network.label} has no layer {name!r}; it has {known}")


def _given(network: PlannedNetwork, materials: Materials, draws: int) -> npt.NDArray[np.int64]:
    """Return the draws' labels; the network's own come first."""
    own = _labels(materials, network, seed=None)
    count, transition = materials.num_classes, materials.labels(network.draw).transition
    null = bool(np.ptp(transition, axis=0).max() == 0)
    if null and (draws < 2 * count or draws % count):
        raise UsageError(
            f"--draws {draws}: the labels of {network.label} say nothing of the true ones: one "
            f"draw shows no leak; take a multiple of the {count} classes, at least {2 * count}"
        )
    if not null:
        if draws != 1:
            raise UsageError(f"--draws {draws}: {network.label} memorized one draw of labels")
        return own[None]
    seeds = range(_DRAWS_SEED, _DRAWS_SEED + draws // count - 1)
    groups = [own, *(_labels(materials, network, seed=seed) for seed in seeds)]
    shifts = np.arange(count)[:, None]
    return np.concatenate([(group + shifts) % count for group in groups])


def _labels(materials: Materials, network: PlannedNetwork, *, seed: int | None) -> Labels:
    """Return a draw's labels of the training and validation points; None: the network's own."""
    draw = network.draw
    assert draw is not None  # the network memorized one
    labels = materials.labels(draw if seed is None else replace(draw, noise_seed=seed))
    return np.concatenate([labels.train.labels, labels.validation.labels])


def _about(network: PlannedNetwork, materials: Materials, trained: Trained) -> dict[str, Any]:
    """Return where a fixture comes from, and what its network itself says of the test points."""
    assert network.draw is not None  # the network memorized one
    logits = [layer for layer in network.layers if layer.name == LOGITS]
    outputs = extract(trained.module, materials.test.x, logits, device=CPU)[LOGITS]
    labels, record = materials.labels(network.draw), trained.record
    return {
        "network_id": network.network_id,
        "model": network.model,
        "dataset": network.data.name,
        "citation": materials.registry.datasets[network.data.name].citation,
        "seed": network.seed,
        **asdict(network.draw),
        "realised_rate": labels.train.realised_rate,
        "transition": labels.transition.tolist(),
        "accuracy_given": record.accuracy_given,
        "accuracy_wrong": record.accuracy_wrong,
        "epochs": len(record.loss),
        "readout": float(np.mean(outputs.argmax(axis=1) == materials.test.true)),
    }
