"""The training of one network until it memorizes its labels, and the certificate that it did."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from memgen_bench import seeds
from memgen_bench.compute import denormals_as_zero, tensor_of
from memgen_bench.errors import TrainingError
from memgen_bench.global_state import preserved
from memgen_bench.network.layers import build
from memgen_bench.network.training_state import TrainingState
from memgen_bench.plugin.training_record import TrainingRecord
from memgen_bench.protocol import FEATURE_BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from memgen_bench.arrays import Images, LabelVector
    from memgen_bench.network.resume import ResumeFile
    from memgen_bench.network.running_trajectory import RunningTrajectory
    from memgen_bench.plugin.specs import ModelSpec, Recipe, Task

    # called after each epoch with the record so far
    OnEpoch = Callable[["TrainingRecord"], None]

_AN_OCTAVE = 4  # epochs of the grid, from an epoch to the one twice as late


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The data that a network is trained and evaluated on.

    Attributes:
        x: Training images.
        given: Labels that the network is trained on.
        true: True labels of the training images.
        validation_x: Validation images; may be empty.
        validation_given: Labels of the validation images under the same noise.
        test_x: All test images.
        test_y: True labels of the test images.
        images_at_once: Images that are predicted together.
    """

    x: Images
    given: LabelVector
    true: LabelVector
    validation_x: Images
    validation_given: LabelVector
    test_x: Images
    test_y: LabelVector
    images_at_once: int = FEATURE_BATCH


@preserved()
def initial_module(spec: ModelSpec, task: Task, init_seed: int) -> nn.Module:
    """Build a model with the initial weights of a seed, on the CPU: all machines get the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.integer(init_seed, "init"))
        return build(spec, task)


@preserved()
def train(
    module: nn.Module,
    data: TrainingData,
    recipe: Recipe,
    *,
    order_seed: int,
    device: torch.device,
    on_epoch: OnEpoch,
    checkpoint: ResumeFile | None = None,
    trajectory: RunningTrajectory | None = None,
) -> TrainingRecord:
    """Train a module in place until it reaches the recipe's target, for `min_epochs` at least.

    With a resume file the training continues from it, and writes it from time to time. A trajectory
    is shown each training step.

    Raises:
        TrainingError: The loss is not finite.
    """
    module.to(device).to(memory_format=torch.channels_last)
    training = TrainingState(
        module=module,
        optimizer=make_optimizer(module, recipe),
        order=seeds.stream(order_seed, "order"),
        record=TrainingRecord(stop_reason="max_epochs"),
        device=device,
        trajectory=trajectory,
    )
    x = tensor_of(data.x, device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seeds.integer(order_seed, "order"))  # for models that draw, as dropout
        if checkpoint:
            checkpoint.load(training)
        with denormals_as_zero():
            _train_on(training, x, data, recipe, on_epoch, checkpoint)
    training.record.averaged_predictions = training.averaged.predictions()
    _certify(training.record, predict(module, x, data.images_at_once), data)
    return training.record


def _train_on(
    training: TrainingState,
    x: torch.Tensor,
    data: TrainingData,
    recipe: Recipe,
    on_epoch: OnEpoch,
    checkpoint: ResumeFile | None,
) -> None:
    """Train from the first epoch that is not in the record until the training stops."""
    module, record, trajectory = training.module, training.record, training.trajectory
    y = torch.from_numpy(data.given).to(training.device)
    watch = _Watch(data, training)
    started = time.perf_counter() - record.seconds
    for epoch in range(len(record.loss) + 1, recipe.max_epochs + 1):
        loss, accuracy = train_epoch(
            module, training.optimizer, x, y, recipe, training.order, trajectory
        )
        if not math.isfinite(loss):
            raise TrainingError(f"the loss is {loss} in epoch {epoch}", error_type="nan")
        record.loss.append(loss)
        record.train_accuracy.append(accuracy)
        reached = accuracy >= recipe.target and epoch >= recipe.min_epochs
        watch.update(epoch, last=reached or epoch == recipe.max_epochs)
        if trajectory:
            trajectory.end_epoch(epoch)
            if record.best_validation_epoch == epoch:
                trajectory.mark_best()
        record.seconds = time.perf_counter() - started
        on_epoch(record)
        if reached:
            record.stop_reason = "target"
            return
        if checkpoint:
            checkpoint.save(training)


def train_epoch(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    recipe: Recipe,
    rng: np.random.Generator,
    trajectory: RunningTrajectory | None = None,
) -> tuple[float, float]:
    """Train on every image once, in random order; return mean loss and running accuracy."""
    module.train()
    total = torch.zeros((), device=x.device)
    correct = torch.zeros((), device=x.device, dtype=torch.int64)
    for batch in _batches(len(x), recipe.batch_size or len(x), rng):
        index = torch.from_numpy(batch).to(x.device)
        images, labels = x[index], y[index]
        with torch.autocast(x.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            logits = module(images)
        loss = functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach() * len(batch)
        correct += (logits.detach().argmax(1) == labels).sum()
        if trajectory:
            trajectory.add(index, logits, labels)
    return float(total) / len(x), int(correct) / len(x)


def _batches(
    count: int, batch_size: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Split a random order into batches; a single last image joins the batch before it.

    Batch normalisation cannot be trained on one image.
    """
    order = np.argsort(rng.random(count), kind="stable")
    cuts = list(range(batch_size, count, batch_size))
    if cuts and count - cuts[-1] == 1:
        cuts.pop()
    yield from np.split(order, cuts)


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return a recipe's optimizer for a module's parameters."""
    weights, decay = module.parameters(), recipe.weight_decay
    if recipe.optimizer == "sgd":
        momentum = recipe.momentum
        return torch.optim.SGD(
            weights, lr=recipe.lr, momentum=momentum, weight_decay=decay, fused=True
        )
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(weights, lr=recipe.lr, weight_decay=decay, fused=True)


class _Watch:
    """Evaluates a network after each epoch on noisy validation, and after some epochs on test."""

    def __init__(self, data: TrainingData, training: TrainingState) -> None:
        self.data = data
        self.training = training
        self.test_x = tensor_of(data.test_x, training.device)
        self.validation_x = tensor_of(data.validation_x, training.device)

    def update(self, epoch: int, *, last: bool) -> None:
        """Evaluate an epoch; on test only one that may be asked for later, or is on the grid."""
        record, module = self.training.record, self.training.module
        best = self._validate(record, module)
        if not (best or last or on_grid(epoch)):
            record.test_accuracy.append(None)
            return
        logits = read_out(module, self.test_x, self.data.images_at_once)
        self.training.averaged.add(epoch, logits)
        predicted = logits.argmax(dim=1).cpu().numpy()
        accuracy = float(np.mean(predicted == self.data.test_y))
        if accuracy > max(record.tested().values(), default=-1.0):
            record.best_test_epoch = epoch
            record.best_test_predictions = predicted.tolist()
        record.test_accuracy.append(accuracy)
        if best:
            record.best_validation_epoch = epoch
            record.best_validation_predictions = predicted.tolist()

    def _validate(self, record: TrainingRecord, module: nn.Module) -> bool:
        """Evaluate on noisy validation; return whether no epoch was as good."""
        if not len(self.data.validation_given):
            return False
        predicted = predict(module, self.validation_x, self.data.images_at_once)
        noisy = float(np.mean(predicted == self.data.validation_given))
        best = noisy > max(record.validation_accuracy, default=-1.0)
        record.validation_accuracy.append(noisy)
        return best


def on_grid(epoch: int) -> bool:
    """Whether an epoch is one of 1 to 8, 10, 11, 13, 16, 19, …: the powers of 2^(1/4), rounded."""
    nearest = round(_AN_OCTAVE * math.log2(epoch))
    return epoch == round(2 ** (nearest / _AN_OCTAVE))


def read_out(module: nn.Module, x: torch.Tensor, batch_size: int = FEATURE_BATCH) -> torch.Tensor:
    """Return a network's logits of N > 0 images in eval mode, N×K."""
    module.eval()
    with torch.inference_mode():  # on copies: a module may change its input in place
        return torch.cat([module(batch.clone()) for batch in torch.split(x, batch_size)])


def predict(module: nn.Module, x: torch.Tensor, batch_size: int = FEATURE_BATCH) -> LabelVector:
    """Return a network's predictions in eval mode, N int64."""
    if not len(x):
        return np.empty(0, np.int64)
    return read_out(module, x, batch_size).argmax(dim=1).cpu().numpy()


def _certify(record: TrainingRecord, predicted: LabelVector, data: TrainingData) -> None:
    right, wrong_label = predicted == data.given, data.given != data.true
    record.accuracy_given = float(np.mean(right))
    if wrong_label.any():
        record.accuracy_wrong = float(np.mean(right[wrong_label]))
