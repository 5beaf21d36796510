"""Reckon what the suite `paper` costs, on paper; write the table of docs/performance.md.

    python benchmark/paper_cost.py

A step of each model is timed here on one thread. All else is arithmetic from shapes and from the
assumptions below; nothing was run on a GPU.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from memgen_bench import Task, load_registry
from memgen_bench.network.layers import find_layers
from memgen_bench.network.training import initial_module
from memgen_bench.plan.suite import load_suite
from memgen_leaderboard.tables.markdown import update

if TYPE_CHECKING:
    from torch import nn

    from memgen_bench.plan.suite import Pair

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
SEEDS, TRAINED, DRAWS = 5, 6, 14  # trainings of a pair and seed; networks × labels that are decoded
EPOCHS = 300  # of 66 to more than 500 that the CNN took on Fashion-MNIST
GPU_FLOPS, GPU_KERNEL = 20e12, 20e-6  # 30 % of an H200's float32 peak; seconds of a small kernel
CPU_FLOPS = 20e9  # of products and eigenproblems, on one core
MACHINES, CORES = 16, 16
HOUR = 3600
# Channels, side, classes and training images of the paper's data sets.
DATA = {
    "mnist": (1, 28, 10, 60_000),
    "fashion-mnist": (1, 28, 10, 60_000),
    "cifar10": (3, 32, 10, 50_000),
    "cifar100": (3, 32, 100, 50_000),
    "tiny-imagenet": (3, 64, 200, 100_000),
}


@dataclass(frozen=True)
class Cost:
    """Hours of one pair, all seeds.

    Attributes:
        pair: The model and the data set.
        core: Training on one core.
        gpu: Training on an H200.
        masc: MASC on all layers, on one core.
    """

    pair: str
    core: float
    gpu: float
    masc: float


def cost(pair: Pair) -> Cost:
    """Reckon the cost of one pair."""
    channels, side, classes, count = DATA[pair.dataset]
    task = Task(channels=channels, height=side, width=side, num_classes=classes)
    spec = load_registry().models.find(pair.model)
    module = initial_module(spec, task, 0)
    batch = pair.recipe.apply(spec.recipe).batch_size
    images = torch.rand(batch, channels, side, side)
    with FlopCounterMode(display=False) as counter:
        module(images[:2])
    flops = 3 * counter.get_total_flops() / 2  # forward, and twice that backward
    trainings, steps = SEEDS * TRAINED * EPOCHS, count / batch
    kernels = 8 * sum(1 for part in module.modules() if not list(part.children()))
    step = max(flops * batch / GPU_FLOPS, kernels * GPU_KERNEL)
    layers = [layer.dim for layer in find_layers(spec, task, 0)]
    return Cost(
        pair=f"{pair.model} on {pair.dataset}",
        core=trainings * steps * seconds_of_step(module, images, classes) / HOUR,
        gpu=trainings * steps * step / HOUR,
        masc=SEEDS * DRAWS * sum(masc(dim, count, classes) for dim in layers) / CPU_FLOPS / HOUR,
    )


def seconds_of_step(module: nn.Module, images: torch.Tensor, classes: int) -> float:
    """Return the CPU seconds of one training step on one thread, the least of four."""
    labels = torch.zeros(len(images), dtype=torch.long)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    spent = []
    for _ in range(4):
        started = time.process_time()
        loss = functional.cross_entropy(module(images), labels % classes)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        spent.append(time.process_time() - started)
    return min(spent)


def masc(dim: int, count: int, classes: int) -> float:
    """Return the operations of second moments and eigenvectors, on the smaller side of a class."""
    size = min(dim, count // classes)
    return 2 * count * dim * size + 9 * classes * size**3


def table() -> str:
    """Return the table in Markdown."""
    found = [cost(pair) for pair in load_suite("paper").combinations()]
    total = Cost("all", *(sum(getattr(c, n) for c in found) for n in ("core", "gpu", "masc")))
    rows = [f"| {c.pair} | {c.core:,.0f} | {c.gpu:,.1f} | {c.masc:,.1f} |" for c in (*found, total)]
    cores = MACHINES * CORES
    days = (total.core + total.masc) / cores / 24
    return "\n".join(
        [
            "| pair | training, core hours | training, hours of an H200 | MASC, core hours |",
            "|---|--:|--:|--:|",
            *rows,
            "",
            f"On {MACHINES} machines of {CORES} cores, each network on one of {cores}: {days:,.1f} "
            f"days. On one H200, one network at a time: {total.gpu / 24:,.1f} days.",
        ]
    )


def main() -> None:
    """Write the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    update(PAGE, {"paper-cost": table}, check=False)


if __name__ == "__main__":
    main()
