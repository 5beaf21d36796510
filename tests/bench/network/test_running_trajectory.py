"""A trajectory is what a training's own logits say, kept through a resume, and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from memgen_bench import Recipe
from memgen_bench.errors import DamagedError
from memgen_bench.network.resume import ResumeFile
from memgen_bench.network.running_trajectory import RunningTrajectory
from memgen_bench.network.tensors import pack, unpack
from memgen_bench.network.training import TrainingData, train
from memgen_bench.plugin.training_record import TrainingRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memgen_bench.plan.plan import Plan
    from memgen_bench.plugin.trajectory import Trajectory

pytestmark = pytest.mark.usefixtures("one_thread")
CPU, COUNT, CLASSES = torch.device("cpu"), 70, 5
RECIPE = Recipe(max_epochs=9, batch_size=16, lr=0.01)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 1, 4, 4)).astype(np.float32)
Y = RNG.integers(0, CLASSES, 120)
DATA = TrainingData(
    x=X[:COUNT],
    given=Y[:COUNT],
    true=Y[:COUNT],
    validation_x=X[COUNT:90],
    validation_given=Y[COUNT:90],
    test_x=X[90:],
    test_y=Y[90:],
)


class Watched(nn.Module):
    """Keeps the images and logits of its training steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.body(x))
        if self.training:
            self.steps.append((x.detach(), logits.detach()))
        return logits


class StopError(Exception):
    """What stops a training here."""


def trained(
    recipe: Recipe = RECIPE,
    *,
    data: TrainingData = DATA,
    running: RunningTrajectory | None,
    checkpoint: ResumeFile | None = None,
    stop: int | None = None,
) -> tuple[Watched, TrainingRecord]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Watched()

    def on_epoch(record: TrainingRecord) -> None:
        if len(record.loss) == stop:
            raise StopError

    record = train(
        module,
        data,
        recipe,
        order_seed=0,
        device=CPU,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
        trajectory=running,
    )
    return module, record


def logits_by_epoch(module: Watched) -> np.ndarray[tuple[int, int, int], np.dtype[np.float64]]:
    """Return the logits of each training image in each epoch, found by the image."""
    places = {image.tobytes(): place for place, image in enumerate(DATA.x)}
    found: list[list[np.ndarray[tuple[int], np.dtype[np.float64]]]] = [[] for _ in places]
    for images, logits in module.steps:
        for image, own in zip(images.numpy(), logits.numpy(), strict=True):
            found[places[image.tobytes()]].append(own.astype(np.float64))
    return np.array(found).transpose(1, 0, 2)


@pytest.mark.parametrize("batch_size", [16, 0])
def test_its_numbers_are_those_of_the_logits_of_each_training_step(batch_size: int) -> None:
    running = RunningTrajectory(COUNT, CPU)
    module, record = trained(replace(RECIPE, batch_size=batch_size), running=running)
    logits, points = logits_by_epoch(module), np.arange(COUNT)
    assert len(logits) == len(record.loss) == 9
    own = logits[:, points, DATA.given]
    others = logits.copy()
    others[:, points, DATA.given] = -np.inf
    margin = own - others.max(axis=2)
    loss = np.log(np.exp(logits).sum(axis=2)) - own
    best = record.best_validation_epoch
    assert 0 < best < 9  # so that early means are not those of all epochs
    found = running.finish(record)
    assert found is not None
    np.testing.assert_allclose(found.margin, margin.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.loss, loss.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.early_margin, margin[:best].mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.early_loss, loss[:best].mean(axis=0), atol=1e-5)
    learned = margin > 0
    first = np.where(learned.any(axis=0), learned.argmax(axis=0) + 1, 0)
    forgotten = learned[:-1] & ~learned[1:]
    last = [max(np.flatnonzero(own) + 2, default=0) for own in forgotten.T]
    assert (found.first_learned == first).all()
    assert (found.last_forgotten == last).all()
    assert (first > 1).any()
    assert any(last)


def test_it_changes_no_weight_and_nothing_of_the_record() -> None:
    alone, record = trained(running=None)
    watched, other = trained(running=RunningTrajectory(COUNT, CPU))
    for name, value in alone.state_dict().items():
        assert torch.equal(value, watched.state_dict()[name]), name
    assert replace(record, seconds=0) == replace(other, seconds=0)


def same(one: Trajectory | None, other: Trajectory | None) -> bool:
    assert one is not None
    assert other is not None
    return all((vars(one)[name] == vars(other)[name]).all() for name in vars(one))


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_a_resumed_training_has_the_same_trajectory_bit_by_bit(
    tmp_path: Path, plan_digits: Callable[..., Plan], stop: int
) -> None:
    network = plan_digits().networks[-1]
    whole = RunningTrajectory(COUNT, CPU)
    _, record = trained(running=whole)
    stopped = RunningTrajectory(COUNT, CPU)
    with pytest.raises(StopError):
        trained(running=stopped, checkpoint=ResumeFile(tmp_path, network, 0), stop=stop + 1)
    resumed = RunningTrajectory(COUNT, CPU)
    _, again = trained(running=resumed, checkpoint=ResumeFile(tmp_path, network, 0))
    assert same(whole.finish(record), resumed.finish(again))
    assert not same(whole.finish(record), stopped.finish(again))


def test_a_resume_file_without_it_is_used_and_leaves_no_trajectory(
    tmp_path: Path, plan_digits: Callable[..., Plan]
) -> None:
    network = plan_digits().networks[-1]
    with pytest.raises(StopError):
        trained(running=None, checkpoint=ResumeFile(tmp_path, network, 0), stop=5)
    running = RunningTrajectory(COUNT, CPU)
    module, record = trained(running=running, checkpoint=ResumeFile(tmp_path, network, 0))
    assert len(module.steps) < len(record.loss) * 5  # it went on, and did not begin anew
    assert running.finish(record) is None


def test_without_validation_early_means_are_those_of_all_epochs() -> None:
    running, none = RunningTrajectory(COUNT, CPU), slice(0, 0)
    data = replace(DATA, validation_x=X[none], validation_given=Y[none])
    _, record = trained(data=data, running=running)
    found = running.finish(record)
    assert found is not None
    assert (found.early_margin == found.margin).all()
    assert (found.early_loss == found.loss).all()


def test_tensors_of_another_training_are_refused() -> None:
    running = RunningTrajectory(COUNT, CPU)
    other = unpack(pack(RunningTrajectory(COUNT + 1, CPU).tensors()))
    with pytest.raises(DamagedError, match=r"margin is float64\[71\] in it, and float64\[70\]"):
        running.restore(other)
    assert running.finish(TrainingRecord()) is None
