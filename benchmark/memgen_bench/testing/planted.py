"""Activations with known classes, and decoders fitted on them by the runner's own reader."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from torch import nn

from memgen_bench.data.corruption import CorruptedLabels
from memgen_bench.data.planned_data import DrawnLabels, PlannedData, Subset
from memgen_bench.decode.reader import Reader
from memgen_bench.network.layers import find_layers
from memgen_bench.network.training import initial_module
from memgen_bench.plan.plan import DataInfo
from memgen_bench.plan.planner import make_plan
from memgen_bench.plan.suite import Suite
from memgen_bench.plugin.registry import Plugin, Registry
from memgen_bench.plugin.specs import DecoderSpec, ModelSpec, NoiseSpec, Positions, Task
from memgen_bench.plugin.trajectory import Trajectory
from memgen_bench.protocol import ALL_LAYERS
from memgen_bench.testing.check import Broken, Inapplicable

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from memgen_bench.arrays import LabelVector, Matrix
    from memgen_bench.decode.decoding import Outcome, Predictions
    from memgen_bench.plan.plan import PlannedNetwork


RATE = 0.3  # share of the given labels that are redrawn
_CPU = torch.device("cpu")
_MEMORY = 1 << 30
_WORLD = Plugin(name="planted", distribution="memgen-bench", version="-", file=__file__)


@dataclass(frozen=True, kw_only=True)
class Points:
    """Activations, their given labels and their true labels.

    Attributes:
        x: N×D, not negative.
        given: Given labels, the only ones that a decoder may see.
        true: True labels, which no decoder may see.
    """

    x: Matrix
    given: LabelVector
    true: LabelVector

    def __getitem__(self, index: Any) -> Points:
        return Points(x=self.x[index], given=self.given[index], true=self.true[index])


@dataclass(frozen=True, kw_only=True)
class Case:
    """The points that a decoder is fitted on and predicts.

    Attributes:
        train: Training points.
        validation: Validation points.
        test: Test points.
        num_classes: K.
        transition: P[true, given], K×K.
    """

    train: Points
    validation: Points
    test: Points
    num_classes: int
    transition: npt.NDArray[np.float64]


def planted(
    *,
    seed: int = 0,
    count: int = 300,
    tests: int = 500,
    dim: int = 16,
    num_classes: int = 5,
    rate: float = RATE,
) -> Case:
    """Return points of classes that overlap a little, with labels under uniform noise.

    Each class is a Gaussian around its centre, clipped at zero as by a ReLU.
    """
    rng = np.random.default_rng(seed)

    def points(count: int) -> Points:
        true = rng.permutation(np.arange(count, dtype=np.int64) % num_classes)
        noise = rng.standard_normal((count, dim))
        x = np.maximum(_centres(num_classes, dim)[true] + noise, 0).astype(np.float32)
        redrawn = rng.integers(num_classes, size=count)
        return Points(x=x, given=np.where(rng.random(count) < rate, redrawn, true), true=true)

    return _case(points, count, tests, num_classes, rate)


def planted_sums(
    *,
    seed: int = 0,
    count: int = 300,
    tests: int = 500,
    num_classes: int = 5,
    rate: float = RATE,
) -> Case:
    """Return pairs of one-hot numbers below K, N×2K, whose class is their sum modulo K."""
    rng = np.random.default_rng(seed)

    def points(count: int) -> Points:
        pairs = rng.integers(num_classes, size=(count, 2))
        x = np.eye(num_classes, dtype=np.float32)[pairs].reshape(count, -1)
        true, redrawn = pairs.sum(axis=1) % num_classes, rng.integers(num_classes, size=count)
        return Points(x=x, given=np.where(rng.random(count) < rate, redrawn, true), true=true)

    return _case(points, count, tests, num_classes, rate)


def without_meaning(case: Case, seed: int) -> Case:
    """Return a case with labels that are independent of its points."""
    rng = np.random.default_rng((seed, 1))

    def drawn(points: Points) -> Points:
        given, true = (rng.permutation(points.true) for _ in range(2))
        return replace(points, given=given, true=true)

    return replace(
        case,
        train=drawn(case.train),
        validation=drawn(case.validation),
        test=drawn(case.test),
        transition=_transition(1.0, case.num_classes),
    )


def _centres(num_classes: int, dim: int) -> npt.NDArray[np.float64]:
    """Return the classes' centres, K×D; the same for every seed."""
    drawn = np.random.default_rng((num_classes, dim)).standard_normal((num_classes, dim))
    return np.asarray(drawn * 4 / np.sqrt(dim))


def _case(
    points: Callable[[int], Points], count: int, tests: int, num_classes: int, rate: float
) -> Case:
    """Return a case of `count` training points, and a third as many for validation."""
    return Case(
        train=points(count),
        validation=points(count // 3),
        test=points(tests),
        num_classes=num_classes,
        transition=_transition(rate, num_classes),
    )


def _transition(rate: float, num_classes: int) -> npt.NDArray[np.float64]:
    return (1 - rate) * np.eye(num_classes) + rate / num_classes


class _Network(nn.Module):
    """A network of two random layers, with logits fitted to the planted classes."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        dim, count = task.width, task.num_classes
        self.points = nn.Flatten()
        self.first = nn.Sequential(nn.Linear(dim, dim), nn.ReLU())
        self.second = nn.Sequential(nn.Linear(dim, dim // 2), nn.ReLU())
        self.out = nn.Linear(dim // 2, count)
        true = np.arange(400) % count
        x = _centres(count, dim)[true] + np.random.default_rng(1).standard_normal((400, dim))
        with torch.no_grad():
            hidden = self.second(self.first(torch.from_numpy(np.maximum(x, 0)).float()))
            hidden = torch.cat([hidden, torch.ones(400, 1)], dim=1)
            weights = torch.linalg.pinv(hidden) @ torch.eye(count)[torch.from_numpy(true)]
            self.out.weight.copy_(weights[:-1].T)
            self.out.bias.copy_(weights[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.out(self.second(self.first(self.points(x))))
        return logits


class _Square(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.square()


class _Adder(nn.Module):
    """A network of squared units whose weights are waves, with logits fitted to planted sums."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        count, rng = task.num_classes, np.random.default_rng(1)
        numbers, width = np.arange(count), 8 * count
        frequencies, phases = rng.integers(1, count, width), rng.random((2, width))
        waves = np.cos(2 * np.pi * (np.outer(numbers, frequencies) / count + phases[:, None]))
        weights = torch.from_numpy(waves.reshape(2 * count, width)).float().T
        a, b = np.divmod(np.arange(count**2), count)
        pairs = torch.from_numpy(np.eye(count)[np.stack([a, b], axis=1)]).float().flatten(1)
        self.points = nn.Flatten()
        first = nn.Linear(2 * count, width, bias=False)
        self.hidden = nn.Sequential(first, _Square())
        self.out = nn.Linear(width, count, bias=False)
        with torch.no_grad():
            first.weight.copy_(weights)
            hidden = (pairs @ weights.T).square()
            sums = torch.eye(count)[torch.from_numpy((a + b) % count)]
            self.out.weight.copy_((torch.linalg.pinv(hidden, rtol=1e-4) @ sums).T)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.out(self.hidden(self.points(x)))
        return logits


_OF_ONE_LAYER = ModelSpec(name="planted", summary="the points", build=_Network, layers=("points",))
_OF_ALL_LAYERS = replace(_OF_ONE_LAYER, summary="a small network", layers=("first", "second"))
_OF_SUMS = replace(_OF_ONE_LAYER, summary="an adder", build=_Adder, layers=("hidden",))
_NOISE = NoiseSpec(
    name="planted",
    summary="labels that a case brings along",
    corrupt=lambda labels, rate, num_classes, rng: labels,
    transition=_transition,
)


class _PlantedData(PlannedData):
    """The data of a case, in place of those of a data set, a split and a noise."""

    def __init__(self, case: Case, network: PlannedNetwork, registry: Registry) -> None:
        def subset(points: Points) -> Subset:
            count = len(points.true)
            positions = Positions(index=np.arange(count), count=count)
            return Subset(x=points.x[:, None, None], true=points.true, positions=positions)

        def labels(points: Points) -> CorruptedLabels:
            return CorruptedLabels(points.given, float(np.mean(points.given != points.true)), "")

        self.registry, self.num_classes = registry, case.num_classes
        self.train, self.validation = subset(case.train), subset(case.validation)
        self.test = self.whole_test = subset(case.test)
        self.test_places = np.arange(len(case.test.true))
        self.sample = np.arange(len(case.train.true))
        # Every fourth point or so, told by the point itself, whatever the order.
        self.held_out = (1000 * case.train.x.sum(axis=1)).astype(np.int64) % 4 == 0
        self._draws = {
            draw: DrawnLabels(
                train=labels(case.train),
                validation=labels(case.validation),
                transition=case.transition,
                rankable=True,
            )
            for draw in network.draws
        }


@dataclass(frozen=True)
class DecoderBench:
    """A decoder to check, fitted by the runner's own reader.

    Attributes:
        spec: The decoder's specification.
    """

    spec: DecoderSpec

    def planted(
        self, *, seed: int = 0, count: int = 300, dim: int = 16, num_classes: int = 5
    ) -> Case:
        """Return planted points, or for some decoders sums, whose dimension is 2K."""
        if self.spec.tried_on == "sums":
            return planted_sums(seed=seed, count=count, num_classes=num_classes)
        return planted(seed=seed, count=count, dim=dim, num_classes=num_classes)

    def outcome(
        self, case: Case, *, seed: int = 0, build: Callable[[], Any] | None = None
    ) -> Outcome:
        """Return the outcome of the decoder, fitted by `Reader` on the points (scope `layer`).

        With scope `network` it is fitted on the layers of a small network whose input they are;
        one that is tried on sums, on those of a network that adds.

        Args:
            case: The points.
            seed: The network's seed, which decides the decoder's.
            build: Builds the estimator in place of the specification's own `build`.
        """
        spec = replace(self.spec, build=build or self.spec.build)
        registry = _registry(spec)
        dim, asks = case.train.x.shape[1], "trajectory" in spec.needs
        network = replace(
            _plan(spec.name, spec.scope, spec.tried_on, case.num_classes, dim, trained=asks),
            seed=seed,
        )
        module = deepcopy(_network(_model_of(spec).build, network.data.task))
        data = _PlantedData(case, network, registry)
        layer = "points" if spec.scope == "layer" else ALL_LAYERS
        readings = [r for r in network.readings if r.layer == layer and r.decoding.decoder]
        trajectory = _trajectory(case) if asks else None
        reader = Reader(network, data, module, _CPU, _MEMORY, trajectory=trajectory)
        ((_, outcome),) = reader.outcomes(readings)
        return outcome

    def exercise(self) -> None:
        """Fit it and let it predict."""
        if self.spec.scope == "training":
            raise Inapplicable("it is fitted on nothing")
        self.outcome(self.planted())

    def predict(
        self, case: Case, *, seed: int = 0, build: Callable[[], Any] | None = None
    ) -> LabelVector:
        """Return predictions on the test points.

        Raises:
            Broken: The decoder failed.
            Inapplicable: It raised `NotApplicable`.
        """
        return predictions_of(self.outcome(case, seed=seed, build=build)).test


def predictions_of(outcome: Outcome) -> Predictions:
    """Return the predictions of all subsets.

    Raises:
        Broken: The decoder failed.
        Inapplicable: It raised `NotApplicable`.
    """
    if outcome.status == "skipped":
        raise Inapplicable(f"the decoder says so: {outcome.message}")
    if outcome.predictions is None:
        raise Broken(f"{outcome.message}")
    return outcome.predictions


def _trajectory(case: Case) -> Trajectory:
    """Return the trajectory of a training that learned, of each class, how far its mean is.

    It knows no more than the points and their given labels, as every trajectory does. Later it
    knows the nearest points of each class, its own among them.
    """
    x, given = case.train.x.astype(np.float64), case.train.given
    means = np.stack([x[given == label].mean(axis=0) for label in np.unique(given)])
    distances = cdist(x, x)
    nearest = np.stack([distances[:, given == label].min(axis=1) for label in np.unique(given)])
    early_margin, early_loss = _margin_and_loss(-cdist(x, means), given)
    late_margin, late_loss = _margin_and_loss(-nearest.T, given)
    return Trajectory(
        margin=early_margin + late_margin,
        loss=early_loss + late_loss,
        early_margin=early_margin,
        early_loss=early_loss,
        first_learned=np.where(early_margin > 0, 1, 2).astype(np.int32),
        last_forgotten=np.zeros(len(x), np.int32),
    )


def _margin_and_loss(
    logits: npt.NDArray[np.float64], given: LabelVector
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return margin and cross entropy of each given label; logits are of the labels that occur."""
    own_places = np.searchsorted(np.unique(given), given)[:, None]
    own = np.take_along_axis(logits, own_places, axis=1)[:, 0]
    others = logits.copy()
    np.put_along_axis(others, own_places, -np.inf, axis=1)
    margin, loss = own - others.max(axis=1), logsumexp(logits, axis=1) - own
    return margin.astype(np.float32), loss.astype(np.float32)


@lru_cache(maxsize=16)
def _network(build: Callable[[Task], nn.Module], task: Task) -> nn.Module:
    """Return the network that a case's points go through; each outcome reads a copy of its own."""
    return initial_module(replace(_OF_ONE_LAYER, build=build), task, 0)


def _registry(spec: DecoderSpec) -> Registry:
    registry = Registry()
    registry.models.add(_model_of(spec), _WORLD)
    registry.noises.add(_NOISE, _WORLD)
    registry.decoders.add(spec, _WORLD)
    return registry


def _model_of(spec: DecoderSpec) -> ModelSpec:
    if spec.scope == "layer":
        return _OF_ONE_LAYER
    return _OF_SUMS if spec.tried_on == "sums" else _OF_ALL_LAYERS


def _nothing() -> Any:
    """Return nothing, in place of an estimator that is only planned."""


@lru_cache(maxsize=64)
def _plan(
    decoder: str,
    scope: Literal["layer", "network", "training"],
    tried_on: Literal["points", "sums"],
    num_classes: int,
    dim: int,
    *,
    trained: bool,
) -> PlannedNetwork:
    """Return the plan of one network, whose images are the points, and one decoder.

    It is an untrained one, or, for decoders that ask how it was trained, one that is said to be.
    """
    spec = DecoderSpec(
        name=decoder, summary="as planned", build=_nothing, scope=scope, tried_on=tried_on
    )
    task = Task(channels=1, height=1, width=dim, num_classes=num_classes)
    data = DataInfo(name="planted", fingerprint="", task=task, train_count=1, test_count=1)
    suite = Suite(
        name="planted",
        version=1,
        models=("planted",),
        datasets=("planted",),
        noises=("planted",),
        rates=(RATE,),
        kinds=("memorized" if trained else "untrained",),
        labels=("corrupted",),
        decoders=(decoder,),
        max_layer_dim=0,
    )
    plan = make_plan(
        suite, _registry(spec), {"planted": data}, find_layers=find_layers, device_type="cpu"
    )
    return plan.networks[-1]


class Through:
    """A decoder that changes X and passes it on to another decoder.

    It has no `fit_moments`, so that it gets the points themselves.

    Args:
        inner: The decoder inside.
        change: Function that changes an array or tensor.
    """

    def __init__(self, inner: Any, change: Callable[[Any], Any]) -> None:
        self.inner, self.change = inner, change

    def fit(self, X: Any, y: Any, **needs: Any) -> Through:
        """Fit the inner decoder on changed activations."""
        if "validation" in needs:
            validation_x, validation_y = needs["validation"]
            needs["validation"] = self._changed(validation_x), validation_y
        self.inner.fit(self._changed(X), y, **needs)
        return self

    def predict(self, X: Any) -> Any:
        """Return the predictions of the inner decoder for changed activations."""
        return self.inner.predict(self._changed(X))

    def _changed(self, X: Any) -> Any:
        if isinstance(X, Mapping):
            return {name: self.change(matrix) for name, matrix in X.items()}
        return self.change(X)

    def __getattr__(self, name: str) -> Any:
        if name in ("fit_moments", "inner"):
            raise AttributeError(name)
        return getattr(self.inner, name)
