"""All decoders of one layer that are not slow, on a network of `core`.

They are timed in turns with scikit-learn's (or a textbook's) one after the other, and with what
they cannot do without: the bare products, factorisations and searches. One thread, as networks run.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.linalg.blas import dsyrk, strmm
from scipy.linalg.lapack import dpotrf, dtrtri

from benchmarks.plain_decoders import ALPHAS, PLAIN
from benchmarks.test_speed import median, say, timed
from memgen_bench import load_registry, seeds
from memgen_bench.compute import as_tensor, tensor_of
from memgen_bench.data.planned_data import PlannedData
from memgen_bench.decode.activations import extract
from memgen_bench.decode.reader import Reader
from memgen_bench.files.places import default_data_dir, find_places
from memgen_bench.network.training import initial_module, make_optimizer, train_epoch
from memgen_bench.plan.suite import load_suite
from memgen_bench.running.runner import plan_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.plain import Matrix
    from memgen_bench.plan.plan import PlannedNetwork

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # Units that are 0 for all points of a class: scikit-learn warns, and goes on.
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning"),
]
CPU = torch.device("cpu")
PAIRS = ["mnist1d", "digits-shifted"]
LINEAR = 10  # decoders of which a product with K rows is all that predictions take


@cache
def network(dataset: str, cache_dir: Path) -> tuple[PlannedNetwork, PlannedData, Any]:
    """Return a network of `core` after ten epochs on labels of which 40 % are redrawn."""
    chosen = {
        **{"datasets": [dataset], "rates": [0.4], "seeds": [0], "kinds": ["memorized"]},
        **{"decoders": list(PLAIN), "fitted_on": ["training"]},
    }
    suite, registry = load_suite("core").replace(chosen), load_registry()
    plan = plan_run(suite, registry, find_places(cache_dir=cache_dir), device="cpu")
    planned = next(each for each in plan.networks if each.kind == "memorized")
    data = PlannedData(planned, (), default_data_dir())
    spec = registry.models[planned.model]
    module = initial_module(spec, planned.data.task, 0).to(memory_format=torch.channels_last)
    x = tensor_of(data.train.x, CPU)
    y = torch.from_numpy(data.labels(planned.draw).train.labels)
    optimizer, order = make_optimizer(module, planned.recipe), seeds.stream(0, "order")
    for _ in range(10):
        train_epoch(module, optimizer, x, y, planned.recipe, order)
    return planned, data, module


Predicted = dict[tuple[str, str], "Matrix"]


def ours(planned: PlannedNetwork, data: PlannedData, module: Any) -> Predicted:
    reader = Reader(planned, data, module, CPU, 8 << 30)
    readings = [each for each in planned.readings if each.decoding.decoder]
    found: Predicted = {}
    for reading, outcome in reader.outcomes(readings):
        assert outcome.predictions is not None, outcome.message
        found[reading.decoding.decoder or "", reading.layer] = outcome.predictions.test
    return found


class Points:
    """The points of one network, layer by layer, and their labels."""

    def __init__(self, planned: PlannedNetwork, data: PlannedData, module: Any) -> None:
        given = data.labels(planned.draw)
        self.train, self.validation, self.test = (
            extract(module, part.x, planned.layers, device=CPU)
            for part in (data.train, data.validation, data.test)
        )
        self.y, self.v = given.train.labels, given.validation.labels
        self.sample = data.sample

    def predicted(self, layer: str) -> Matrix:
        """Return the points that each decoder predicts: test, validation, and a train sample."""
        return np.concatenate(
            [self.test[layer], self.validation[layer], self.train[layer][self.sample]]
        )


def plainly(points: Points) -> Predicted:
    found = {}
    for layer, X in points.train.items():
        V, count = points.validation[layer], len(points.test[layer])
        for name, decode in PLAIN.items():
            labels = decode(X, points.y, V, points.v, points.predicted(layer))
            found[name, layer] = labels[:count]
    return found


def least(points: Points) -> None:
    """Do what these decoders cannot do without: no copy, no check, nothing twice."""
    for layer, X in points.train.items():
        of_layer(as_tensor(X), points.y, torch.from_numpy(points.predicted(layer)))


def of_layer(X: torch.Tensor, y: Matrix, predicted: torch.Tensor) -> None:
    dim, classes = X.shape[1], np.unique(y)
    parts = [X[torch.from_numpy(y == label)].double() for label in classes]
    squares = [dsyrk(1.0, part.numpy().T) for part in parts]
    for part in parts:  # what trimming keeps
        dsyrk(1.0, part[: int(0.7 * len(part))].numpy().T)
    positive = np.asfortranarray(sum(squares) + np.eye(dim))
    for _ in range(2 * len(classes) + 3):  # two quadratic decoders; those with one covariance
        dtrtri(dpotrf(positive, lower=True)[0], lower=True)
    for _ in ALPHAS:
        dpotrf(positive, lower=True)
    axes = [torch.linalg.eigh(torch.from_numpy(each).float())[1] for each in squares]
    upper = np.asfortranarray(positive, np.float32)
    rows = np.asfortranarray(predicted.numpy().T)
    for _ in range(2 * len(classes)):
        strmm(1.0, upper, rows, lower=True)
    predicted @ torch.cat([each[:, : dim // 2] for each in axes], dim=1)
    predicted @ torch.cat([each[:, :LINEAR] for each in axes], dim=1)
    for width in (dim, len(classes) - 1):  # neighbours, and those in the Fisher subspace
        torch.topk(predicted[:, :width] @ X[:, :width].T, 50)


@pytest.mark.parametrize("dataset", PAIRS)
def test_all_decoders_of_a_layer(
    benchmark: Any, dataset: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    planned, data, module = network(dataset, tmp_path_factory.getbasetemp())
    points = Points(planned, data, module)
    agree(ours(planned, data, module), plainly(points))
    least(points)
    _, (plain, bare) = timed(
        benchmark,
        lambda: ours(planned, data, module),
        lambda: plainly(points),
        lambda: least(points),
        rounds=1,  # scikit-learn's take minutes
        warmup=0,  # all three are warm
    )
    say(benchmark, f"{dataset}: decoders, times scikit-learn's", plain / median(benchmark), ">= 8")
    over = median(benchmark) / bare
    say(benchmark, "  over bare products, factorisations, searches", over, "<= 1.6")


def agree(found: Mapping[tuple[str, str], Matrix], expected: Predicted) -> None:
    """Check that they are the same decoders; neighbours that share a vote are counted otherwise."""
    assert found.keys() == expected.keys()
    for (name, layer), labels in expected.items():
        equal = np.mean(found[name, layer] == labels)
        assert equal > (0.8 if "knn" in name else 0.98), (name, layer, equal)
