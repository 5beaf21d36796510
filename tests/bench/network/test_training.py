from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from memgen_bench import ModelSpec, Recipe, Task, load_registry
from memgen_bench.data.corruption import corrupt
from memgen_bench.errors import TrainingError
from memgen_bench.network import training
from memgen_bench.network.training import (
    TrainingData,
    _batches,
    initial_module,
    make_optimizer,
    on_grid,
    predict,
    train,
)
from memgen_bench.seeds import stream

if TYPE_CHECKING:
    from memgen_bench.plugin.training_record import TrainingRecord

CPU = torch.device("cpu")
TASK = Task(channels=1, height=8, width=8, num_classes=10)
REGISTRY = load_registry()


def digits(count: int = 200, rate: float = 0.6) -> TrainingData:
    loaded = load_digits()
    x = (loaded.images[:, None] / 8 - 1).astype(np.float32)
    y = loaded.target.astype(np.int64)
    given = corrupt(
        REGISTRY.noises["uniform"], y[:count], rate=rate, num_classes=10, noise_seed=0
    ).labels
    return TrainingData(
        x=x[:count],
        given=given,
        true=y[:count],
        validation_x=x[count : count + 100],
        validation_given=y[count : count + 100],
        test_x=x[-300:],
        test_y=y[-300:],
    )


def trained(
    data: TrainingData, recipe: Recipe | None = None, init: int = 0, order: int = 0
) -> tuple[nn.Module, TrainingRecord]:
    spec = REGISTRY.models["mlp"]
    module = initial_module(spec, TASK, init)
    record = train(
        module,
        data,
        replace(recipe or spec.recipe, threads=1),
        order_seed=order,
        device=CPU,
        on_epoch=lambda record: None,
    )
    return module, record


def test_a_network_memorizes_wrong_labels_and_the_certificate_says_so() -> None:
    data = digits()
    module, record = trained(data, Recipe(lr=5e-4))
    predicted = predict(module, torch.from_numpy(data.x))
    wrong = data.given != data.true
    assert record.memorized
    assert record.stop_reason == "target"
    assert record.accuracy_given == np.mean(predicted == data.given)
    assert record.accuracy_wrong == np.mean((predicted == data.given)[wrong])
    assert record.train_accuracy[-1] == 1.0
    assert max(record.train_accuracy[:-1]) < 1.0
    assert record.test_accuracy[-1] == np.mean(
        predict(module, torch.from_numpy(data.test_x)) == data.test_y
    )


def test_stopping_early_is_not_memorizing() -> None:
    _, record = trained(digits(), Recipe(max_epochs=2))
    assert record.stop_reason == "max_epochs"
    assert len(record.loss) == 2
    assert not record.memorized


def test_the_best_epochs_are_the_first_best_and_keep_their_predictions() -> None:
    data = digits()
    _, record = trained(data)
    tested, validated = record.tested(), dict(enumerate(record.validation_accuracy, start=1))
    for curve, best, predictions in (
        (tested, record.best_test_epoch, record.best_test_predictions),
        (validated, record.best_validation_epoch, record.best_validation_predictions),
    ):
        assert best == max(curve, key=lambda epoch: (curve[epoch], -epoch))
        assert tested[best] == np.mean(np.array(predictions) == data.test_y)
    assert record.best_test_epoch < len(record.loss)  # memorizing came after generalizing


def test_what_is_not_tested_would_have_changed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = digits()
    module, record = trained(data)
    with monkeypatch.context() as patch:
        patch.setattr(training, "on_grid", lambda epoch: True)
        plainly, full = trained(data)  # every epoch is tested
    assert all(
        torch.equal(own, other)
        for own, other in zip(module.parameters(), plainly.parameters(), strict=True)
    )
    assert full.tested().keys() == set(range(1, len(full.loss) + 1))
    tested = record.tested()
    assert len(tested) < len(full.loss) / 2
    assert tested.items() <= full.tested().items()
    validated = record.validation_accuracy
    firsts = {
        epoch
        for epoch in range(1, len(validated) + 1)
        if validated[epoch - 1] > max(validated[: epoch - 1], default=-1.0)
    }
    grid = {epoch for epoch in range(1, len(validated)) if on_grid(epoch)}
    assert tested.keys() == firsts | grid | {len(validated)}
    untouched = ("loss", "train_accuracy", "validation_accuracy", "best_validation_epoch")
    for name in (*untouched, "best_validation_predictions", "accuracy_given", "accuracy_wrong"):
        assert getattr(record, name) == getattr(full, name)


def test_the_grid_has_four_epochs_an_octave() -> None:
    assert [epoch for epoch in range(1, 33) if on_grid(epoch)] == [
        *(1, 2, 3, 4, 5, 6, 7, 8),
        *(10, 11, 13, 16),
        *(19, 23, 27, 32),
    ]


def test_without_validation_there_is_no_best_validation_epoch() -> None:
    data = digits()
    empty = replace(data, validation_x=data.x[:0], validation_given=data.given[:0])
    _, record = trained(empty, Recipe(max_epochs=2))
    assert record.validation_accuracy == []
    assert (record.best_validation_epoch, record.best_validation_predictions) == (0, [])


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_seeds_decide_weights_and_nothing_else_does() -> None:
    data = digits()
    short = Recipe(max_epochs=3)
    first = weights(trained(data, short)[0])
    torch.manual_seed(99)  # the state of the process
    unwatched = replace(data, test_x=data.test_x[:50], test_y=data.test_y[:50])
    assert torch.equal(first, weights(trained(unwatched, short)[0]))
    assert not torch.equal(first, weights(trained(data, short, init=1)[0]))
    assert not torch.equal(first, weights(trained(data, short, order=1)[0]))


def test_the_order_seed_leaves_initial_weights_alone() -> None:
    spec = REGISTRY.models["cnn"]
    first, again, other = (weights(initial_module(spec, TASK, seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_epoch_visits_every_image_once_in_another_order() -> None:
    rng = stream(0, "order")
    epochs = [np.concatenate(list(_batches(100, 32, rng))) for _ in range(2)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(100))
    assert (epochs[0] != epochs[1]).any()


@pytest.mark.parametrize(
    ("count", "sizes"), [(65, [65]), (129, [64, 65]), (128, [64, 64]), (66, [64, 2]), (1, [1])]
)
def test_no_batch_of_one_image_is_left_over(count: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in _batches(count, 64, stream(0, "order"))] == sizes


def test_a_loss_that_is_not_finite_stops_the_training() -> None:
    with pytest.raises(TrainingError, match="the loss is nan in epoch") as caught:
        trained(digits(), Recipe(optimizer="sgd", lr=1e30, max_epochs=50))
    assert caught.value.error_type == "nan"


class Dropout(nn.Module):
    """Its train-mode outputs are half noise; eval mode is exact."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU())
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.body(x)))  # type: ignore[no-any-return]


def test_certificates_are_taken_in_eval_mode_and_dropout_is_seeded() -> None:
    spec = ModelSpec(name="dropout", summary="", build=lambda task: Dropout())
    data, found = digits(100), []
    for _ in range(2):
        module = initial_module(spec, TASK, 0)
        recipe = Recipe(target=0.97, max_epochs=400)
        record = train(module, data, recipe, order_seed=0, device=CPU, on_epoch=lambda record: None)
        found.append(record)
        module.train()
        exact = predict(module, torch.from_numpy(data.x))  # goes to eval mode itself
        assert record.accuracy_given == np.mean(exact == data.given)
    assert found[0].loss == found[1].loss


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_precisions_learn(precision: str) -> None:
    recipe = Recipe(precision=precision, max_epochs=60)  # type: ignore[arg-type] # parametrized
    _, record = trained(digits(rate=0.0), recipe)
    assert record.memorized
    assert record.tested()[len(record.loss)] > 0.7


def test_whole_batches_take_one_step_an_epoch() -> None:
    data = digits(100)
    whole, again, none = (
        trained(data, Recipe(batch_size=size, max_epochs=1, lr=lr))[0]
        for size, lr in ((0, 1e-3), (100, 1e-3), (0, 1e-12))
    )
    assert torch.equal(weights(whole), weights(again))
    moved = (weights(whole) - weights(none)).abs().max()
    assert moved == pytest.approx(1e-3, rel=1e-3)  # what one step of Adam moves each weight


def test_training_goes_on_to_the_least_epochs_and_no_further() -> None:
    data, recipe = digits(60), Recipe(lr=3e-3)
    _, record = trained(data, recipe)
    met = len(record.loss)
    _, beyond = trained(data, replace(recipe, min_epochs=met + 5))
    assert len(beyond.loss) >= met + 5
    assert beyond.loss[:met] == record.loss
    assert (beyond.stop_reason, beyond.train_accuracy[-1]) == ("target", 1.0)
    assert max(beyond.train_accuracy[met + 4 : -1], default=0.0) < 1.0
    _, before = trained(data, replace(recipe, min_epochs=met - 1))
    assert len(before.loss) == met


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_weight_decay_keeps_weights_small(optimizer: Literal["adam", "adamw", "sgd"]) -> None:
    data, recipe = digits(100), Recipe(optimizer=optimizer, lr=1e-3, max_epochs=5)
    free, held = (
        weights(trained(data, replace(recipe, weight_decay=decay))[0]).norm() for decay in (0, 100)
    )
    assert held < 0.9 * free


def test_decay_of_adamw_is_decoupled_from_the_gradient() -> None:
    module = nn.Linear(1, 1, bias=False)
    before = module.weight.item()
    optimizer = make_optimizer(module, Recipe(optimizer="adamw", lr=0.1, weight_decay=0.5))
    module.weight.grad = torch.zeros_like(module.weight)
    optimizer.step()
    assert module.weight.item() == pytest.approx(before * (1 - 0.1 * 0.5))


def test_sgd_with_momentum_follows_its_recipe() -> None:
    _, record = trained(digits(rate=0.0), Recipe(optimizer="sgd", lr=0.05, momentum=0.9))
    assert record.memorized
