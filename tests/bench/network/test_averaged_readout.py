"""The mean over epochs is that of all probabilities, kept through a resume, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from memgen_bench import Recipe
from memgen_bench.errors import DamagedError
from memgen_bench.network import training
from memgen_bench.network.averaged_readout import AveragedReadout
from memgen_bench.network.resume import ResumeFile
from memgen_bench.network.tensors import pack, unpack
from memgen_bench.network.training import TrainingData, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memgen_bench.plan.plan import Plan
    from memgen_bench.plugin.training_record import TrainingRecord

pytestmark = pytest.mark.usefixtures("one_thread")
RECIPE = Recipe(max_epochs=20, batch_size=16, lr=0.01)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(190, 1, 4, 4)).astype(np.float32)
Y = RNG.integers(0, 5, 190)
DATA = TrainingData(
    x=X[:70],
    given=Y[:70],
    true=Y[:70],
    validation_x=X[70:90],
    validation_given=Y[70:90],
    test_x=X[90:],
    test_y=Y[90:],
)


class Watched(nn.Module):
    """Keeps the logits of the test images."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 5))
        self.tested: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.body(x)
        if not self.training and len(x) == len(DATA.test_x):
            self.tested.append(logits.clone())
        return logits


class StopError(Exception):
    """What stops a training here."""


def trained(
    checkpoint: ResumeFile | None = None, stop: int | None = None
) -> tuple[Watched, TrainingRecord]:
    """Train until the end, or until it is stopped in an epoch."""
    torch.manual_seed(0)
    module = Watched()

    def on_epoch(record: TrainingRecord) -> None:
        if len(record.loss) == stop:
            raise StopError

    record = train(
        module,
        DATA,
        RECIPE,
        order_seed=0,
        device=torch.device("cpu"),
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )
    return module, record


def weighed(logits: list[torch.Tensor], epochs: list[int]) -> list[int]:
    """The same, added up in NumPy: each tested epoch as often as it stands for epochs."""
    exponentials = [np.exp(each.double().numpy()) for each in logits]
    probabilities = [each / each.sum(axis=1, keepdims=True) for each in exponentials]
    counts = np.diff([0, *epochs])
    mean = np.sum([n * p for n, p in zip(counts, probabilities, strict=True)], axis=0)
    found: list[int] = mean.argmax(axis=1).tolist()
    return found


def test_each_epoch_stands_for_those_before_it_that_were_not_tested() -> None:
    module, record = trained()
    epochs = list(record.tested())
    assert len(epochs) == len(module.tested) < RECIPE.max_epochs
    assert record.averaged_predictions == weighed(module.tested, epochs)
    last = module.tested[-1].argmax(dim=1).tolist()
    plain = weighed(module.tested, list(range(1, len(epochs) + 1)))
    assert last != record.averaged_predictions != plain


def test_it_is_near_the_mean_over_all_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    _, some = trained()
    monkeypatch.setattr(training, "on_grid", lambda epoch: True)
    module, every = trained()
    assert every.averaged_predictions == weighed(module.tested, list(range(1, 21)))
    equal = np.equal(some.averaged_predictions, every.averaged_predictions)
    assert np.mean(equal) > 0.9


def test_a_resumed_training_has_the_same_mean(
    tmp_path: Path, plan_digits: Callable[..., Plan]
) -> None:
    network = plan_digits().networks[-1]
    _, whole = trained()
    with pytest.raises(StopError):
        trained(ResumeFile(tmp_path, network, minutes=0), stop=9)
    module, resumed = trained(ResumeFile(tmp_path, network, minutes=0))
    assert 0 < len(module.tested) < len(whole.tested())
    assert resumed.averaged_predictions == whole.averaged_predictions


def test_what_began_without_it_has_none() -> None:
    later = AveragedReadout.restored({}, images=3)
    later.add(5, torch.eye(3))
    assert later.predictions() == []
    assert later.tensors() == {}
    assert AveragedReadout().predictions() == []


def test_a_stored_mean_is_checked() -> None:
    first = AveragedReadout()
    first.add(1, torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    first.add(4, torch.tensor([[0.0, 1.0], [0.0, 9.0]]))
    stored = unpack(pack(first.tensors()))
    again = AveragedReadout.restored(stored, images=2)
    for each in (first, again):
        each.add(5, torch.tensor([[0.0, 3.0], [0.0, 9.0]]))
    assert again.predictions() == first.predictions() == [1, 1]
    wrong = (
        {"sum": stored["sum"]},
        {**stored, "sum": stored["sum"].float()},
        {**stored, "sum": stored["sum"][0]},
        {**stored, "more": stored["sum"]},
    )
    for tensors in wrong:
        with pytest.raises(DamagedError, match="in the model"):
            AveragedReadout.restored(tensors, images=2)
    with pytest.raises(DamagedError, match="sum"):
        AveragedReadout.restored(stored, images=3)
