"""A training that was stopped and went on is the one that never was, bit by bit."""

from __future__ import annotations

import pickle
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from memgen_bench import Recipe
from memgen_bench.errors import MemgenError
from memgen_bench.network import resume as module_under_test
from memgen_bench.network.cache_files import note_of
from memgen_bench.network.resume import ResumeFile
from memgen_bench.network.tensors import pack, unpack
from memgen_bench.network.training import TrainingData, make_optimizer, train
from memgen_bench.network.training_state import TrainingState
from memgen_bench.plugin.training_record import TrainingRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memgen_bench.plan.plan import Plan, PlannedNetwork

pytestmark = pytest.mark.usefixtures("one_thread")


class Counts(nn.Module):
    """Has a state that is no part of a `state_dict`, and that its outputs depend on."""

    steps: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(()), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.steps += 1
        return x * (1 + 0.01 * self.steps)


def plain() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def convolutions() -> nn.Module:
    """Batch normalisation, too: buffers, and weights whose order in memory is channels last."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(64, 10)),
    )


def dropout() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), Counts(), nn.Linear(32, 10)
    )


class Unused(nn.Module):
    """One weight twice, and one without a gradient, of which the optimizer knows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Linear(3, 3)
        self.first, self.last = nn.Linear(64, 64, bias=False), nn.Linear(64, 10)
        self.second = nn.Linear(64, 64, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.second(torch.relu(self.first(x.flatten(1))))))  # type: ignore[no-any-return]


ADAM = Recipe(max_epochs=6, batch_size=16, lr=0.01)
SGD = replace(ADAM, optimizer="sgd")
ADAMW = replace(ADAM, optimizer="adamw", weight_decay=0.1)
CASES = [
    *((build, recipe) for build in (plain, convolutions, dropout, Unused) for recipe in (ADAM,)),
    *((build, replace(SGD, momentum=0.9)) for build in (convolutions, dropout, Unused)),
    (plain, SGD),
    *((build, ADAMW) for build in (convolutions, dropout, Unused)),
    (plain, replace(ADAMW, batch_size=0)),
    (convolutions, replace(ADAM, precision="bf16")),
]


def some_data() -> TrainingData:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 1, 8, 8)).astype(np.float32)
    y = rng.integers(0, 10, 120)
    return TrainingData(
        x=x[:70],
        given=y[:70],
        true=y[:70],
        validation_x=x[70:90],
        validation_given=y[70:90],
        test_x=x[90:],
        test_y=y[90:],
    )


DATA = some_data()


class StopError(Exception):
    """What stops a training here."""


def trained(
    build: Callable[[], nn.Module],
    recipe: Recipe,
    checkpoint: ResumeFile | None = None,
    stop: int | None = None,
) -> tuple[nn.Module, TrainingRecord, list[int]]:
    """Train until the end, or until it is stopped in an epoch; return its epochs, too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build()
    epochs = []

    def on_epoch(record: TrainingRecord) -> None:
        epochs.append(len(record.loss))
        if len(record.loss) == stop:
            raise StopError

    record = train(
        module,
        DATA,
        recipe,
        order_seed=0,
        device=torch.device("cpu"),
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )
    return module, record, epochs


@pytest.fixture
def network(plan_digits: Callable[..., Plan]) -> PlannedNetwork:
    return plan_digits().networks[-1]


@pytest.fixture
def fresh(tmp_path: Path, network: PlannedNetwork) -> Callable[[], ResumeFile]:
    """Return a maker of the network's checkpoint, as a new process would make it."""
    return lambda: ResumeFile(tmp_path, network, minutes=0)


def check_same(
    one: tuple[nn.Module, TrainingRecord], other: tuple[nn.Module, TrainingRecord]
) -> None:
    tensors, others = (
        {**dict(module.named_parameters()), **dict(module.named_buffers())}
        for module in (one[0], other[0])
    )
    assert [name for name in tensors if not torch.equal(tensors[name], others[name])] == []
    assert asdict(replace(one[1], seconds=0.0)) == asdict(replace(other[1], seconds=0.0))


@pytest.mark.parametrize("stops", [[1], [2], [3], [5], [6], [2, 4], [2, 3, 3, 6]], ids=str)
@pytest.mark.parametrize(
    ("build", "recipe"),
    CASES,
    ids=[f"{b.__name__}-{r.optimizer}-{r.batch_size}-{r.precision}" for b, r in CASES],
)
def test_a_stopped_training_goes_on_and_ends_as_if_it_never_had_been(
    build: Callable[[], nn.Module],
    recipe: Recipe,
    stops: list[int],
    fresh: Callable[[], ResumeFile],
) -> None:
    whole, record, _ = trained(build, recipe)
    for stop in stops:
        with pytest.raises(StopError):
            trained(build, recipe, fresh(), stop)
        torch.rand(3)  # the state of the process
    module, again, epochs = trained(build, recipe, fresh())
    check_same((whole, record), (module, again))
    assert epochs == list(range(max(stops), recipe.max_epochs + 1))


def test_the_time_before_a_stop_counts(
    fresh: Callable[[], ResumeFile], network: PlannedNetwork
) -> None:
    with pytest.raises(StopError):
        trained(plain, ADAM, fresh(), stop=4)
    entry = fresh()._entry
    fields, content = entry.read()
    fields["record"]["seconds"] = 1000.0
    note = note_of(network, content, record=fields["record"], order=fields["order"])
    entry.files[0].write_bytes(note + content)
    assert 1000 < trained(plain, ADAM, fresh())[1].seconds < 1100


def test_after_the_last_epoch_only_the_certificate_is_left(fresh: Callable[[], ResumeFile]) -> None:
    whole, record, _ = trained(plain, ADAM, fresh())
    module, again, epochs = trained(plain, ADAM, fresh())
    assert epochs == []
    check_same((whole, record), (module, again))


def test_the_epoch_that_reaches_the_target_is_the_last_after_a_stop_too(
    fresh: Callable[[], ResumeFile],
) -> None:
    recipe = replace(ADAM, max_epochs=300)
    whole, record, epochs = trained(plain, recipe)
    assert record.stop_reason == "target"
    with pytest.raises(StopError):
        trained(plain, recipe, fresh(), stop=epochs[-1])
    module, again, rest = trained(plain, recipe, fresh())
    assert rest == epochs[-1:]
    check_same((whole, record), (module, again))


def test_the_least_epochs_are_the_same_after_a_stop(fresh: Callable[[], ResumeFile]) -> None:
    _, _, epochs = trained(plain, replace(ADAM, max_epochs=300))
    recipe = replace(ADAM, min_epochs=epochs[-1] + 3, max_epochs=300)
    whole, record, longer = trained(plain, recipe)
    assert (longer[-1], record.stop_reason) == (recipe.min_epochs, "target")
    with pytest.raises(StopError):
        trained(plain, recipe, fresh(), stop=epochs[-1] + 2)
    module, again, rest = trained(plain, recipe, fresh())
    assert rest == longer[-2:]
    check_same((whole, record), (module, again))


def test_a_short_training_writes_nothing(tmp_path: Path, network: PlannedNetwork) -> None:
    trained(plain, ADAM, ResumeFile(tmp_path, network, minutes=10))
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_written_when_it_is_time_to(
    tmp_path: Path, network: PlannedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, written = 0.0, []
    monkeypatch.setattr(module_under_test, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(module_under_test, "write_atomically", lambda *_: written.append(now))
    checkpoint, module = ResumeFile(tmp_path, network, minutes=1), plain()
    training = TrainingState(
        module=module,
        optimizer=make_optimizer(module, ADAM),
        order=np.random.default_rng(0),
        record=TrainingRecord(),
        device=torch.device("cpu"),
    )
    for seconds in (1, 59, 60, 61, 119, 121, 150, 500, 559, 560):
        now = seconds
        checkpoint.save(training)
    assert written == [60, 121, 500, 560]


def test_a_full_disk_stops_no_training(
    fresh: Callable[[], ResumeFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise MemgenError(f"cannot write {path}: no space left")

    whole, record, _ = trained(plain, ADAM)
    monkeypatch.setattr(module_under_test, "write_atomically", full)
    with pytest.warns(UserWarning, match=r"no checkpoint: cannot write .*no space left"):
        module, again, _ = trained(plain, ADAM, fresh())
    check_same((whole, record), (module, again))


class Hostile:
    """Unpickled, it ends the process."""

    def __reduce__(self) -> tuple[object, ...]:
        return (exit, (1,))


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "harm",
    [flipped, lambda content: content[:-1], lambda _: b"", lambda _: pickle.dumps(Hostile())],
    ids=["flipped", "cut", "empty", "pickle"],
)
def test_a_damaged_checkpoint_is_set_aside_and_the_training_starts_anew(
    fresh: Callable[[], ResumeFile], harm: Callable[[bytes], bytes]
) -> None:
    whole, record, all_epochs = trained(convolutions, ADAM)
    with pytest.raises(StopError):
        trained(convolutions, ADAM, fresh(), stop=4)
    (path,) = fresh()._entry.files
    path.write_bytes(harm(path.read_bytes()))
    with pytest.warns(UserWarning, match=rf"{path.name}: damaged, set aside .*trained anew"):
        module, again, epochs = trained(convolutions, ADAM, fresh())
    assert epochs == all_epochs
    check_same((whole, record), (module, again))
    assert path.with_name(f"{path.name}.damaged").exists()


def spoilt_optimizer(tensors: dict[str, torch.Tensor], order: dict[str, object]) -> None:
    tensors["optimizer.99.step"] = torch.tensor(1.0)


def spoilt_weights(tensors: dict[str, torch.Tensor], order: dict[str, object]) -> None:
    tensors["module.0.bias"] = torch.zeros(5)


def spoilt_random_state(tensors: dict[str, torch.Tensor], order: dict[str, object]) -> None:
    tensors["random.cpu"] = torch.zeros(3, dtype=torch.uint8)


def spoilt_order(tensors: dict[str, torch.Tensor], order: dict[str, object]) -> None:
    order["bit_generator"] = "MT19937"


def another_owner(tensors: dict[str, torch.Tensor], order: dict[str, object]) -> None:
    tensors["nobody.x"] = torch.zeros(1)


@pytest.mark.parametrize(
    "spoil", [spoilt_optimizer, spoilt_weights, spoilt_random_state, spoilt_order, another_owner]
)
def test_a_checkpoint_that_does_not_fit_changes_nothing(
    fresh: Callable[[], ResumeFile],
    network: PlannedNetwork,
    spoil: Callable[[dict[str, torch.Tensor], dict[str, object]], None],
) -> None:
    whole, record, all_epochs = trained(dropout, ADAM)
    with pytest.raises(StopError):
        trained(dropout, ADAM, fresh(), stop=4)
    entry = fresh()._entry
    fields, content = entry.read()
    tensors, order = unpack(content), fields["order"]
    spoil(tensors, order)
    content = pack(tensors)
    note = note_of(network, content, record=fields["record"], order=order)
    entry.files[0].write_bytes(note + content)
    with pytest.warns(UserWarning, match="damaged, set aside"):
        module, again, epochs = trained(dropout, ADAM, fresh())
    assert epochs == all_epochs
    check_same((whole, record), (module, again))


def test_a_checkpoint_is_removed(tmp_path: Path, fresh: Callable[[], ResumeFile]) -> None:
    trained(plain, ADAM, fresh())
    assert list(tmp_path.iterdir())
    fresh().remove()
    fresh().remove()
    assert list(tmp_path.iterdir()) == []
