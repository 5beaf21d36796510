"""The checks of the contract for models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from memgen_bench.decode.activations import extract
from memgen_bench.errors import MemgenError, NotApplicable, PluginError
from memgen_bench.network.layers import find_layers
from memgen_bench.network.training import TrainingData, initial_module, train
from memgen_bench.plugin.specs import Task
from memgen_bench.protocol import LOGITS, MAX_LAYER_DIM
from memgen_bench.testing.check import (
    Broken,
    Inapplicable,
    check,
    demand,
    described,
    leaves_the_process_alone,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from torch import nn

    from memgen_bench.arrays import Images
    from memgen_bench.plan.plan import Layer
    from memgen_bench.plugin.specs import ModelSpec
    from memgen_bench.plugin.training_record import TrainingRecord

CLASSES = 7  # no known data set has as many, so that a fixed width is noticed
# Tasks; the first of these and of the model's own that it can be built for is used.
TASKS = tuple(
    Task(channels=channels, height=side, width=side, num_classes=CLASSES)
    for channels, side in ((3, 32), (1, 28), (1, 8))
)
IMAGES = 16
EPOCHS = 500
# Allowed rounding error, by the largest activation: sums may have another order.
ROUNDING = 1e-4
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class ModelBench:
    """A model to check, with a task, images and a trained network.

    Attributes:
        spec: The model's specification.
    """

    spec: ModelSpec

    @cached_property
    def found(self) -> tuple[Task, tuple[Layer, ...]]:
        """The task that the model is built for, and its layers."""
        faults, refusals = [], []
        for made_for in (*TASKS, *self.spec.tasks):
            task = replace(made_for, num_classes=CLASSES)
            try:
                return task, find_layers(self.spec, task, MAX_LAYER_DIM)
            except PluginError as fault:
                faults.append(str(fault))
            except NotApplicable as reason:
                refusals.append(f"it takes no images that are tried ({reason}); name its `tasks`")
        raise Broken([*faults, *refusals][0])

    def module(self, seed: int = 0) -> nn.Module:
        """Return a network with the initial weights of a seed."""
        return initial_module(self.spec, self.found[0], seed)

    def exercise(self) -> None:
        """Build it and run it on images."""
        self.features(self.module(), self.images())

    def images(self, count: int = IMAGES) -> Images:
        """Return random images in [-1, 1]."""
        task = self.found[0]
        shape = (count, task.channels, task.height, task.width)
        return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)

    def features(self, module: nn.Module, images: Images) -> Mapping[str, npt.NDArray[np.float32]]:
        """Return the activations of all layers."""
        return extract(module, images, self.found[1], device=_CPU)

    @cached_property
    def memorizing(self) -> tuple[nn.Module, TrainingRecord]:
        """A network trained by the recipe on a few images with random labels."""
        x, recipe = self.images(), self.spec.recipe
        y = np.random.default_rng(1).permutation(np.arange(IMAGES, dtype=np.int64) % CLASSES)
        module = self.module()
        few = replace(recipe, min_epochs=0, max_epochs=min(recipe.max_epochs, EPOCHS))
        data = TrainingData(
            x=x,
            given=y,
            true=y,
            validation_x=x[:0],
            validation_given=y[:0],
            test_x=x[:1],
            test_y=y[:1],
        )
        record = train(module, data, few, order_seed=0, device=_CPU, on_epoch=lambda record: None)
        return module, record


@check(essential=True)
def fits_the_task(model: ModelBench) -> None:
    """It is built for any number of classes and has as many outputs."""
    task, layers = model.found
    for num_classes in (CLASSES, 2):
        layers = find_layers(model.spec, replace(task, num_classes=num_classes), MAX_LAYER_DIM)
        demand(
            layers[-1].width == num_classes,
            f"it has {layers[-1].width} outputs for {num_classes} classes",
        )


@check()
def says_what_it_takes(model: ModelBench) -> None:
    """It takes colour images of 32×32 pixels, or refuses them by `NotApplicable` with a reason."""
    try:
        find_layers(model.spec, TASKS[0], MAX_LAYER_DIM)
    except NotApplicable as reason:
        raise Inapplicable(f"it is not made for colour images of 32×32 pixels: {reason}") from None
    except PluginError as error:
        raise Broken(
            f"{error}; raise NotApplicable(reason) in build() where it is not made for such images"
        ) from error


@check()
def has_layers(model: ModelBench) -> None:
    """At least one layer of its own is read, between pixels and logits."""
    own = [layer for layer in model.found[1] if layer.name != LOGITS]
    demand(bool(own), "no layer is read but pixels and logits; name modules in the spec's `layers`")


@check()
def follows_the_seed(model: ModelBench) -> None:
    """The same seed gives the same initial weights, and another one others."""
    first, again, other = (model.module(seed).state_dict() for seed in (0, 0, 1))
    demand(bool(first), "it has no weights")
    differing = [name for name in first if not torch.equal(first[name], again[name])]
    demand(
        not differing,
        f"two builds with one seed differ in {', '.join(differing[:3])}; draw weights from torch's "
        "global stream, which is seeded",
    )
    demand(
        any(not torch.equal(first[name], other[name]) for name in first),
        "two seeds give the same weights; draw them from torch's global stream, and seed nothing",
    )


@check(essential=True)
def is_steady(model: ModelBench) -> None:
    """In eval mode two passes over the same images give the same activations, bit by bit."""
    module, images = model.module(), model.images()
    first, again = (model.features(module, images) for _ in range(2))
    differing = [name for name in first if not np.array_equal(first[name], again[name])]
    demand(
        not differing,
        f"two passes in eval mode differ in {', '.join(differing[:3])}; let dropout and the like "
        "follow module.training",
    )


@check()
def minds_no_batch(model: ModelBench) -> None:
    """An image's activations in eval mode do not depend on the other images of its batch."""
    module, images = model.module(), model.images(8)
    together = model.features(module, images)
    for i in (0, 5):
        alone = model.features(module, images[i : i + 1])
        for name, matrix in together.items():
            off = float(np.abs(matrix[i] - alone[name][0]).max())
            demand(
                off <= ROUNDING * max(1.0, float(np.abs(matrix).max())),
                f"layer {name!r} is off by {off:.2g} where an image is alone in its batch; "
                "in eval mode normalise by stored statistics (track_running_stats=True)",
            )


@check()
def keeps_all_in_its_weights(model: ModelBench) -> None:
    """A network that is loaded from the cache computes what the one that was stored computed."""
    trained, _ = model.memorizing
    loaded = model.module(seed=1)
    loaded.load_state_dict(trained.state_dict())
    images = model.images()
    first, again = model.features(trained, images), model.features(loaded, images)
    differing = [name for name in first if not np.array_equal(first[name], again[name])]
    demand(
        not differing,
        f"after loading the weights into a new module {', '.join(differing[:3])} differ; keep all "
        "that forward() uses in parameters and buffers (register_buffer)",
    )


@check()
def memorizes(model: ModelBench) -> None:
    """Its recipe fits a few images with random labels: only a network that can is of use here."""
    try:
        _, record = model.memorizing
    except MemgenError as error:
        raise Broken(f"training fails: {error}; mend the recipe") from error
    # The running accuracy, by which training stops: after so few steps stored statistics of a batch
    # normalisation are not yet those of the images, so that the certificate would mean nothing.
    demand(
        record.stop_reason == "target",
        f"after {len(record.loss)} epochs it knows {100 * record.train_accuracy[-1]:.0f} % of "
        f"{IMAGES} random labels; give it more width, another learning rate or more max_epochs",
    )


CHECKS = (
    described,
    fits_the_task,
    says_what_it_takes,
    has_layers,
    leaves_the_process_alone,
    follows_the_seed,
    is_steady,
    minds_no_batch,
    memorizes,
    keeps_all_in_its_weights,
)
