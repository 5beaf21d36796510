"""Training one network until it memorizes its labels, and the certificate that it did."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from memgen_bench import seeds
from memgen_bench.compute import tensor_of
from memgen_bench.errors import TrainingError
from memgen_bench.layers import build
from memgen_bench.protocol import FEATURE_BATCH, MEMORIZED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from memgen_bench.checkpoint import Checkpoint
    from memgen_bench.specs import Images, Labels, ModelSpec, Recipe, Task

    # called after each epoch with the record so far
    OnEpoch = Callable[["TrainingRecord"], None]


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a network is trained on and watched with.

    Attributes:
        x: Training images.
        given: The labels that it is trained on.
        true: Their true labels.
        validation_x: Images set aside; may be empty.
        validation_given: Their labels under the same noise.
        test_x: All test images.
        test_y: Their true labels.
    """

    x: Images
    given: Labels
    true: Labels
    validation_x: Images
    validation_given: Labels
    test_x: Images
    test_y: Labels


@dataclass(kw_only=True)
class TrainingRecord:
    """What happened while a network was trained, epoch by epoch, and its certificate.

    Attributes:
        loss: Mean loss of each epoch.
        train_accuracy: Running train accuracy on the given labels.
        validation_accuracy: Accuracy on noisy validation labels; empty without validation.
        test_accuracy: Accuracy on true test labels.
        best_validation_epoch: First epoch (from 1) that is best on noisy validation; 0: none.
        best_test_epoch: First epoch that is best on test (an oracle).
        best_validation_predictions: Test predictions of that epoch.
        best_test_predictions: Test predictions of that epoch.
        stop_reason: `target` or `max_epochs`.
        seconds: Wall time of all epochs, evaluations included.
        accuracy_given: Eval-mode accuracy on the given labels.
        accuracy_wrong: The same on the wrongly labelled part alone; None where it is empty.
    """

    loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    best_validation_epoch: int = 0
    best_test_epoch: int = 0
    best_validation_predictions: list[int] = field(default_factory=list)
    best_test_predictions: list[int] = field(default_factory=list)
    stop_reason: str = ""
    seconds: float = 0.0
    accuracy_given: float = 0.0
    accuracy_wrong: float | None = None

    @property
    def memorized(self) -> bool:
        """Whether the network memorized its labels, whatever the stop rule said."""
        return self.accuracy_given >= MEMORIZED

    def without_test(self) -> TrainingRecord:
        """Return the record without what only test labels can tell."""
        return replace(self, test_accuracy=[], best_test_epoch=0, best_test_predictions=[])


@dataclass(kw_only=True)
class Training:
    """What decides the epochs to come, torch's random state apart; see `checkpoint`.

    Attributes:
        module: The network.
        optimizer: Its optimizer.
        order: The stream from which batches are drawn.
        record: The epochs so far.
        device: Where it is trained.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    order: np.random.Generator
    record: TrainingRecord
    device: torch.device


def initial_module(spec: ModelSpec, task: Task, init_seed: int) -> nn.Module:
    """Build a model with the initial weights of a seed; on the CPU, so on every machine alike."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.integer(init_seed, "init"))
        return build(spec, task)


def train(
    module: nn.Module,
    data: TrainingData,
    recipe: Recipe,
    *,
    order_seed: int,
    device: torch.device,
    on_epoch: OnEpoch,
    checkpoint: Checkpoint | None = None,
) -> TrainingRecord:
    """Train a module in place until its running train accuracy reaches the recipe's target.

    With a checkpoint the training goes on from there, and saves itself now and then.

    Raises:
        TrainingError: The loss is not finite.
    """
    module.to(device).to(memory_format=torch.channels_last)
    training = Training(
        module=module,
        optimizer=make_optimizer(module, recipe),
        order=seeds.stream(order_seed, "order"),
        record=TrainingRecord(stop_reason="max_epochs"),
        device=device,
    )
    x = tensor_of(data.x, device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seeds.integer(order_seed, "order"))  # for models that draw, as dropout
        if checkpoint:
            checkpoint.load(training)
        _train_on(training, x, data, recipe, on_epoch, checkpoint)
    _certify(training.record, predict(module, x), data)
    return training.record


def _train_on(
    training: Training,
    x: torch.Tensor,
    data: TrainingData,
    recipe: Recipe,
    on_epoch: OnEpoch,
    checkpoint: Checkpoint | None,
) -> None:
    """Train from the epoch after those recorded to the last."""
    module, record = training.module, training.record
    y = torch.from_numpy(data.given).to(training.device)
    watch = _Watch(data, training.device)
    started = time.perf_counter() - record.seconds
    for epoch in range(len(record.loss) + 1, recipe.max_epochs + 1):
        loss, accuracy = train_epoch(module, training.optimizer, x, y, recipe, training.order)
        if not math.isfinite(loss):
            raise TrainingError(f"the loss is {loss} in epoch {epoch}", error_type="nan")
        record.loss.append(loss)
        record.train_accuracy.append(accuracy)
        watch.update(record, module, epoch)
        record.seconds = time.perf_counter() - started
        on_epoch(record)
        if accuracy >= recipe.target:
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
) -> tuple[float, float]:
    """Visit every image once, in a random order; return mean loss and running accuracy."""
    module.train()
    total = torch.zeros((), device=x.device)
    correct = torch.zeros((), device=x.device, dtype=torch.int64)
    for batch in _batches(len(x), recipe.batch_size, rng):
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
    return float(total) / len(x), int(correct) / len(x)


def _batches(
    count: int, batch_size: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Split a random order into batches; a last one of one image joins the one before it.

    Batch normalisation cannot be trained on one image.
    """
    order = np.argsort(rng.random(count), kind="stable")
    cuts = list(range(batch_size, count, batch_size))
    if cuts and count - cuts[-1] == 1:
        cuts.pop()
    yield from np.split(order, cuts)


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return a recipe's optimizer of a module's parameters."""
    if recipe.optimizer == "adam":
        return torch.optim.Adam(module.parameters(), lr=recipe.lr, fused=True)
    return torch.optim.SGD(module.parameters(), lr=recipe.lr, momentum=recipe.momentum, fused=True)


class _Watch:
    """Evaluates a network after each epoch on noisy validation and on test."""

    def __init__(self, data: TrainingData, device: torch.device) -> None:
        self.data = data
        self.test_x = tensor_of(data.test_x, device)
        self.validation_x = tensor_of(data.validation_x, device)

    def update(self, record: TrainingRecord, module: nn.Module, epoch: int) -> None:
        predicted = predict(module, self.test_x)
        accuracy = float(np.mean(predicted == self.data.test_y))
        if accuracy > max(record.test_accuracy, default=-1.0):
            record.best_test_epoch = epoch
            record.best_test_predictions = predicted.tolist()
        record.test_accuracy.append(accuracy)
        if not len(self.data.validation_given):
            return
        noisy = float(np.mean(predict(module, self.validation_x) == self.data.validation_given))
        if noisy > max(record.validation_accuracy, default=-1.0):
            record.best_validation_epoch = epoch
            record.best_validation_predictions = predicted.tolist()
        record.validation_accuracy.append(noisy)


def predict(module: nn.Module, x: torch.Tensor) -> Labels:
    """Return a network's argmax in eval mode, N int64."""
    module.eval()
    with torch.inference_mode():  # on copies: a module may change its input in place
        parts = (
            [module(batch.clone()).argmax(1) for batch in torch.split(x, FEATURE_BATCH)]
            if len(x)
            else []
        )
    return torch.cat(parts).cpu().numpy() if parts else np.empty(0, np.int64)


def _certify(record: TrainingRecord, predicted: Labels, data: TrainingData) -> None:
    right, wrong_label = predicted == data.given, data.given != data.true
    record.accuracy_given = float(np.mean(right))
    if wrong_label.any():
        record.accuracy_wrong = float(np.mean(right[wrong_label]))
