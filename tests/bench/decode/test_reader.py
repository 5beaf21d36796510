"""Reading a network: the same numbers whatever the budget, and whoever else reads or writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch

import memgen_bench
from memgen_bench import UsageError, load_registry
from memgen_bench.data.planned_data import PlannedData
from memgen_bench.decode import moments, reader, scratch
from memgen_bench.decode import training_points as points_module
from memgen_bench.decode.decoding import CHANGED
from memgen_bench.decode.footprint import WAITING_BYTES
from memgen_bench.decode.moments import Labelling
from memgen_bench.decode.neighbors import FOUND, Neighbors
from memgen_bench.decode.reader import Reader
from memgen_bench.decode.scratch import Scratch
from memgen_bench.decode.training_points import TrainingPoints
from memgen_bench.files.places import find_places
from memgen_bench.network.training import initial_module
from memgen_bench.plan.plan import Layer
from memgen_bench.plan.suite import Suite
from memgen_bench.running.runner import plan_run
from memgen_bench.workers.questions import Questions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from memgen_bench.decode.decoding import Outcome

pytestmark = pytest.mark.usefixtures("one_thread")

PLENTY = 1 << 30
CPU = torch.device("cpu")
FROM_MOMENTS = ("masc", "qda-shrunk", "ridge", "own-moments")
OTHERS = ("knn-5", "linear-svm", "on-arrays", "whole")
PLUGIN = """
import numpy as np
import torch
from torch import nn
from memgen_bench import DecoderSpec, ModelSpec, hookimpl


class Small(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.fc1 = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU())
        self.fc2 = nn.Sequential(nn.Linear(24, 12), nn.ReLU())
        self.out = nn.Linear(12, task.num_classes)

    def forward(self, x):
        return self.out(self.fc2(self.fc1(x)))


class Sometimes(nn.Module):
    def forward(self, x):
        return torch.where(x.argmax(dim=1, keepdim=True) % 2 == 0, x, torch.nan)


class Blind(Small):
    # One of its layers, which leads nowhere, is not a number for some images.
    def __init__(self, task):
        super().__init__(task)
        self.nowhere = Sometimes()

    def forward(self, x):
        hidden = self.fc1(x)
        self.nowhere(hidden)
        return self.out(self.fc2(hidden))


class Base:
    def fit(self, X, y):
        self.means = np.stack([np.asarray(X)[np.asarray(y) == k].mean(axis=0) for k in range(10)])
        return self

    def predict(self, X):
        return ((np.asarray(X)[:, None] - self.means) ** 2).sum(axis=2).argmin(axis=1)


class OwnMoments(Base):
    def fit_moments(self, moments):
        assert moments.classes.tolist() == list(range(10))
        self.means = np.asarray(moments.means)
        return self


class Whole(Base):
    def fit(self, X, y):
        return super().fit(np.concatenate(list(X.values()), axis=1), y)

    def predict(self, X):
        return super().predict(np.concatenate(list(X.values()), axis=1))


class Writes(Base):
    def fit(self, X, y):
        super().fit(X, y)
        X -= X.mean(0)
        return self


class WritesLate(Base):
    def predict(self, X):
        labels = super().predict(X)
        X[:5] = float("nan")
        raise RuntimeError("what it wrote matters more")


class WritesAll(Whole):
    def fit(self, X, y):
        super().fit(X, y)
        X["fc2"].zero_()
        return self


@hookimpl
def register_models():
    layers = ("fc1", "fc2")
    return [
        ModelSpec(name="small", summary="s", build=Small, layers=layers),
        ModelSpec(name="blind", summary="s", build=Blind, layers=(*layers, "nowhere")),
    ]


@hookimpl
def register_decoders():
    def spec(name, build, **fields):
        return DecoderSpec(name=name, summary="s", build=build, **fields)

    return [
        spec("own-moments", OwnMoments),
        spec("on-arrays", Base),
        spec("whole", Whole, scope="network"),
        spec("writes", Writes, arrays="torch"),
        spec("writes-late", WritesLate, arrays="torch"),
        spec("writes-arrays", Writes),
        spec("writes-all", WritesAll, arrays="torch", scope="network"),
    ]
"""
SUITE = Suite(
    name="tiny",
    version=1,
    models=("small",),
    datasets=("digits",),
    rates=(0.4, 0.8),  # three labellings: two draws, and the true labels
    kinds=("untrained",),
    decoders=(*FROM_MOMENTS, *OTHERS),
    train_size=160,
    test_size=60,
    validation_fraction=0.25,
    max_layer_dim=32,
)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plugin") / "small.py"
    path.write_text(PLUGIN)
    return path


@dataclass(frozen=True)
class Lab:
    """Reads untrained networks, of two draws of labels."""

    plugin: Path

    def read(
        self, decoders: Sequence[str], *, model: str = "small", memory: int = PLENTY
    ) -> dict[str, Outcome]:
        """Return each reading's outcome by its place, decoder, labels, and draw."""
        folder = self.plugin.parent
        suite = SUITE.replace({"decoders": decoders, "models": (model,)})
        registry = load_registry([self.plugin])
        questions = Questions(plugin_files=(str(self.plugin),))
        plan = plan_run(suite, registry, find_places(folder, folder), questions=questions)
        (network,) = plan.networks
        data = PlannedData(network, (str(self.plugin),), folder)
        module = initial_module(registry.models[model], network.data.task, network.init_seed)
        found = Reader(network, data, module, CPU, memory).outcomes(network.readings)
        outcomes = {}
        for reading, outcome in found:
            what = reading.decoding
            draw = f"{what.labels} {what.draw.rate if what.draw else 0}"
            outcomes[f"{reading.layer} {what.decoder} {draw}"] = outcome
        assert len(outcomes) == len(network.readings)
        return outcomes


@pytest.fixture(scope="module")
def lab(plugin: Path) -> Lab:
    return Lab(plugin)


@pytest.fixture(scope="module")
def everything() -> dict[str, dict[str, Outcome]]:
    """What is read with all decoders and plenty of memory, by form, once it was."""
    return {}


@pytest.fixture
def expected(lab: Lab, form: str, everything: dict[str, dict[str, Outcome]]) -> dict[str, Outcome]:
    if form not in everything:
        everything[form] = lab.read(SUITE.decoders)
    return everything[form]


@pytest.fixture(params=["kept", "streamed"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The form of all moments; these layers are small enough to be kept."""
    if request.param == "streamed":
        for module in (moments, points_module):
            monkeypatch.setattr(module, "keeps_points", lambda *shape: False)
    return str(request.param)


def plain(outcome: Outcome) -> tuple[Any, ...]:
    """Return all of an outcome but times."""
    found = outcome.predictions
    parts = (found.train, found.validation, found.test) if found else ()
    told = outcome.status, outcome.error_type, outcome.message
    return (*told, *(part.tolist() for part in parts))


def same(first: dict[str, Outcome], second: dict[str, Outcome]) -> None:
    assert first.keys() == second.keys()
    for name, outcome in first.items():
        assert plain(outcome) == plain(second[name]), name


def of(outcomes: dict[str, Outcome], *decoders: str | None) -> dict[str, Outcome]:
    return {name: each for name, each in outcomes.items() if name.split()[1] in map(str, decoders)}


@dataclass
class Counted:
    """What was done to read."""

    passes: int = 0
    files: int = 0


@pytest.fixture
def counted(expected: Any, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Count passes over the training images, and files, which even small arrays may get now."""
    found, read, reserve = Counted(), Reader._read, scratch._reserve

    def counted_read(self: Reader, group: Any) -> Any:
        found.passes += 1
        return read(self, group)

    def counted_reserve(file: Any, size: int) -> None:
        found.files += 1
        reserve(file, size)

    monkeypatch.setattr(Reader, "_read", counted_read)
    monkeypatch.setattr(scratch, "_reserve", counted_reserve)
    monkeypatch.setattr(scratch, "_SMALL", 0)
    return found


def test_what_is_read_by_default(lab: Lab, expected: dict[str, Outcome], counted: Counted) -> None:
    assert {outcome.status for outcome in expected.values()} == {"ok"}
    same(lab.read(SUITE.decoders), expected)
    assert (counted.passes, counted.files) == (1, 0)


def test_without_any_budget_the_same_is_read(
    lab: Lab, expected: dict[str, Outcome], counted: Counted
) -> None:
    same(lab.read(SUITE.decoders, memory=1), expected)
    assert counted.passes == 4 * 3  # one for each layer and draw
    assert counted.files > counted.passes


def test_with_a_small_budget_the_same_is_read(
    lab: Lab, form: str, expected: dict[str, Outcome], counted: Counted
) -> None:
    memory = 50_000 if form == "kept" else WAITING_BYTES + (3 << 20)
    same(lab.read(SUITE.decoders, memory=memory), expected)
    assert 1 < counted.passes < 12


def test_a_run_under_two_budgets_gives_the_same_readings(
    plugin: Path, tmp_path: Path, form: str, counted: Counted
) -> None:
    def readings(memory: int) -> pl.DataFrame:
        summary = memgen_bench.run(
            SUITE,
            results=tmp_path / str(memory),
            cache_dir=tmp_path,
            plugins=[plugin],
            decoders=["masc", "knn-5", "whole"],
            engine="serial",
            memory=memory,
        )
        assert summary.ok == summary.planned
        rows = pl.from_arrow(memgen_bench.read_results(tmp_path / str(memory)))
        assert isinstance(rows, pl.DataFrame)
        return rows.drop("fit_seconds", "predict_seconds", "created").sort("key")

    plenty = readings(PLENTY)
    assert (counted.passes, counted.files) == (1, 0)
    least = 1 if form == "kept" else WAITING_BYTES + (1 << 20)
    assert readings(least).equals(plenty)
    assert counted.passes > 3
    assert counted.files > 0 or form == "streamed"


@pytest.mark.parametrize("alone", SUITE.decoders)
def test_who_else_is_in_the_run_changes_nothing(
    lab: Lab, expected: dict[str, Outcome], alone: str
) -> None:
    same(lab.read([alone]), of(expected, alone, None))


@pytest.mark.parametrize("writer", ["writes", "writes-late"])
@pytest.mark.parametrize("place", [0, 3])
def test_a_decoder_that_writes_fails_and_no_other_notices(
    lab: Lab, expected: dict[str, Outcome], writer: str, place: int, counted: Counted
) -> None:
    found = lab.read([*SUITE.decoders[:place], writer, *SUITE.decoders[place:]])
    written = of(found, writer)
    assert len(written) == 4 * 3
    assert {plain(each) for each in written.values()} == {("failed", "error", CHANGED)}
    assert counted.passes == 1 + len(written)  # the activations are read again
    same(of(found, *SUITE.decoders, None), expected)


def test_an_array_cannot_be_written_to_and_is_not_read_again(
    lab: Lab, expected: dict[str, Outcome], counted: Counted
) -> None:
    found = lab.read(["writes-arrays", *SUITE.decoders])
    written = of(found, "writes-arrays")
    assert {each.status for each in written.values()} == {"failed"}
    assert all(CHANGED in str(each.message) for each in written.values())
    assert counted.passes == 1
    same(of(found, *SUITE.decoders, None), expected)


def test_a_decoder_of_all_layers_that_writes_fails_alone(
    lab: Lab, expected: dict[str, Outcome]
) -> None:
    found = lab.read(["writes-all", "whole"])
    written = of(found, "writes-all")
    assert {plain(each) for each in written.values()} == {("failed", "error", CHANGED)}
    same(of(found, "whole", None), of(expected, "whole", None))


def test_activations_that_are_not_finite_fail_and_say_so(lab: Lab, form: str) -> None:
    found = lab.read(SUITE.decoders, model="blind")
    for name, outcome in found.items():
        if name.startswith(("nowhere ", "* ")):  # the layer itself, and all layers at once
            assert plain(outcome) == ("failed", "nan", "activations are not finite")
        else:
            assert outcome.status == "ok", (name, outcome.message)


def training_points(form: str, *, stored: bool, sample: np.ndarray) -> TrainingPoints:
    y = np.arange(12) % 2
    return TrainingPoints(
        Layer(name="fc", index=0, depth=0, dim=3, width=3),
        count=12,
        sample=sample,
        num_classes=2,
        stored=stored,
        labellings={None: Labelling({"true": y}, frozenset({"true"}))},
        device=CPU,
        scratch=Scratch(),
    )


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_point_that_is_not_finite_is_enough(form: str, stored: bool, value: float) -> None:
    sample = np.array([0, 4, 5, 11])
    fine = training_points(form, stored=stored, sample=sample)
    broken = training_points(form, stored=stored, sample=sample)
    rows = torch.arange(36.0).view(12, 3)
    for batch in torch.split(rows, 5):
        fine.add(batch)
    assert fine.finite
    rows = rows.clone()
    rows[7, 1] = value  # a point that is not in the sample
    for batch in torch.split(rows, 5):
        broken.add(batch)
    assert not broken.finite
    assert (fine.sample() == np.arange(36).reshape(12, 3)[sample]).all()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[TrainingPoints]:
    """The training points of all layers that were read."""
    made: list[TrainingPoints] = []

    class Remembered(TrainingPoints):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            made.append(self)

    monkeypatch.setattr(reader, "TrainingPoints", Remembered)
    return made


def test_points_are_stored_only_for_decoders_that_want_them(
    lab: Lab, form: str, stored: list[TrainingPoints]
) -> None:
    lab.read(FROM_MOMENTS)
    assert [each.points is None for each in stored] == [form == "streamed"] * 4
    stored.clear()
    lab.read([*FROM_MOMENTS, "knn-5"])
    assert [each.points is None for each in stored] == [False] * 4


def test_the_readout_alone_stores_nothing(lab: Lab, stored: list[TrainingPoints]) -> None:
    found = of(lab.read(["whole"]), None)
    assert [outcome.status for outcome in found.values()] == ["ok"]
    assert [each.points for each in stored] == [None]


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (["knn-5", "knn-50"], [120, 40, 60]),  # of the sample, validation and test points
        (["knn-filter-lda"], [120]),  # of the training points among themselves
        (["knn-50", "knn-filter-lda", "spreading", "knn-50>lda"], [120, 120, 40, 60]),
    ],
)
def test_neighbours_are_searched_once_for_all_decoders_and_draws(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, names: list[str], sizes: list[int]
) -> None:
    counts: list[tuple[int, int]] = []
    search = Neighbors._search

    def counted(self: Neighbors, X: torch.Tensor, k: int) -> torch.Tensor:
        counts.append((len(X), k))
        return search(self, X, k)

    monkeypatch.setattr(Neighbors, "_search", counted)
    lab.read(names)
    assert sorted(counts) == sorted(4 * [(size, FOUND) for size in sizes])  # once a layer


# too little memory


def refused(tmp_path: Path, **options: Any) -> str:
    suite = SUITE.model_copy(update={"train_size": None, "models": ("mlp",), "decoders": ("ncm",)})
    with pytest.raises(UsageError) as caught:
        memgen_bench.run(suite, results=tmp_path / "results", cache_dir=tmp_path, **options)
    assert not (tmp_path / "results").exists()
    return str(caught.value)


def test_a_budget_below_the_moments_of_a_layer_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    message = refused(tmp_path, jobs=1, memory=1 << 20)
    for part in (
        "1 MiB of memory",
        "layer 'input' of mlp on digits, untrained, seed 0",
        "take 64 MiB",
        "raise --memory, or lower --jobs or --max-layer-dim",
    ):
        assert part in message
    assert "\n" not in message


def test_networks_computed_at_once_share_the_budget(tmp_path: Path) -> None:
    assert "50 MiB of memory" in refused(tmp_path, jobs=2, memory=100 << 20, seeds=[0, 1])
