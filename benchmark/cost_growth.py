"""Measure how the cost of decoding grows; write the table and the plot of docs/performance.md.

    python benchmark/cost_growth.py

Activations are synthetic: K random directions in D dimensions, mixed noise, a ReLU. Each figure is
the median of three runs on two threads, fit and predictions of 2,000 points together.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memgen_bench import load_registry
from memgen_bench.compute import as_tensor, keep_freed_memory, threads
from memgen_bench.decode.moments import moments_of
from memgen_bench.decode.neighbors import Neighbors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCS = Path(__file__).parents[1] / "docs"
FIGURE = "figures/cost_growth.svg"  # beside the page
BEGIN, END = "<!-- cost of decoding: begin -->", "<!-- cost of decoding: end -->"
ROUNDS, TEST = 3, 2000
N, D, K = 8000, 256, 10
AXES = {
    "N": [(n, D, K) for n in (2000, 4000, 8000, 16000, 32000)],
    "D": [(N, d, K) for d in (64, 128, 256, 512, 1024)],
    "K": [(N, D, k) for k in (2, 5, 10, 30, 100)],
}


def activations(n: int, d: int, k: int) -> tuple[torch.Tensor, np.ndarray, torch.Tensor]:
    """Return training points, their labels (40 % drawn anew), and points to predict."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((k, d))
    mix = rng.standard_normal((d, d)) * np.logspace(0, -1.5, d)[:, None] / 4

    def points(y: np.ndarray) -> torch.Tensor:
        noise = rng.standard_normal((len(y), d)) @ mix
        return as_tensor(np.maximum(centres[y] + noise, 0).astype(np.float32))

    y = rng.integers(k, size=n)
    given = np.where(rng.random(n) < 0.4, rng.integers(k, size=n), y)
    return points(y), given, points(rng.integers(k, size=TEST))


def median_seconds(function: Callable[[], Any]) -> float:
    """Return the median time of three calls, after one more."""
    function()
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def decode(names: list[str], X: torch.Tensor, y: np.ndarray, test: torch.Tensor) -> None:
    """Fit decoders and let them predict, sharing moments and neighbours."""
    decoders = load_registry().decoders
    shared, search = None, Neighbors(X, [test])
    for name in names:
        decoder: Any = decoders[name].build()
        if hasattr(decoder, "fit_moments"):
            shared = shared or moments_of(X, y)
            decoder.fit_moments(shared.for_decoder())
        elif "neighbors" in decoders[name].needs:
            decoder.fit(X, torch.from_numpy(y), neighbors=search)
        else:
            decoder.fit(X, torch.from_numpy(y))
        decoder.predict(test)


def measure() -> Iterator[tuple[str, int, str, float]]:
    """Yield axis, its value, what was decoded, and seconds."""
    decoders = load_registry().decoders
    moments = [name for name in decoders if hasattr(decoders[name].build(), "fit_moments")]
    what = {f"{len(moments)} decoders from moments": moments, "masc alone": ["masc"]}
    what |= {"knn-5 and knn-50": ["knn-5", "knn-50"]}
    what |= {name: [name] for name in ("logreg", "linear-svm")}
    for axis, sizes in AXES.items():
        for size in sizes:
            data = activations(*size)
            for label, names in what.items():
                value = size["NDK".index(axis)]
                yield axis, value, label, median_seconds(partial(decode, names, *data))
    data = activations(N, D, K)
    for count in range(1, len(moments) + 1):
        seconds = median_seconds(partial(decode, moments[:count], *data))
        yield "decoders", count, "from shared moments", seconds
        alone = [median_seconds(partial(decode, [name], *data)) for name in moments[:count]]
        yield "decoders", count, "each alone", sum(alone)


def machine() -> str:
    """Return the processor's name and the versions that matter."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = f"{len(names)} × {names[0]}" if names else platform.processor() or platform.machine()
    return f"{name}, 2 threads, Python {platform.python_version()}, torch {torch.__version__}"


def table(rows: list[tuple[str, int, str, float]]) -> str:
    """Return the figures as Markdown, one table an axis."""
    parts = []
    for axis in dict.fromkeys(row[0] for row in rows):
        found = {(value, label): seconds for a, value, label, seconds in rows if a == axis}
        values = list(dict.fromkeys(value for value, _ in found))
        labels = list(dict.fromkeys(label for _, label in found))
        parts.append(f"| {axis} | " + " | ".join(f"{value:,}" for value in values) + " |")
        parts.append("|---" * (len(values) + 1) + "|")
        parts += [
            f"| {label} | " + " | ".join(f"{found[value, label]:.3f}" for value in values) + " |"
            for label in labels
        ]
        parts.append("")
    return "\n".join(parts)


def plot(rows: list[tuple[str, int, str, float]], path: Path) -> None:
    """Draw one panel an axis, both scales logarithmic but for the number of decoders."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "memgen-bench"
    import matplotlib.pyplot as plt

    axes_names = list(dict.fromkeys(row[0] for row in rows))
    figure, panels = plt.subplots(1, len(axes_names), figsize=(16, 4.2), layout="constrained")
    for axis, panel in zip(axes_names, panels, strict=True):
        for label in dict.fromkeys(row[2] for row in rows if row[0] == axis):
            points = [(row[1], row[3]) for row in rows if row[0] == axis and row[2] == label]
            panel.plot(*zip(*points, strict=True), marker="o", label=label)
        panel.set_xlabel(axis)
        if axis != "decoders":
            values = sorted({row[1] for row in rows if row[0] == axis})
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_xticks(values, [f"{value:,}" for value in values])
            panel.set_xticks([], minor=True)
            panel.yaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_minor_formatter("{x:g}")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("seconds, fit and predict")
    panels[0].legend(fontsize=8)
    panels[-1].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, draw, and put the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of performance.md")
    folder = parser.parse_args().out
    keep_freed_memory()
    with threads(2):
        rows = list(measure())
    plot(rows, folder / FIGURE)
    text = (
        f"{BEGIN}\n![seconds over N, D, K and the number of decoders]({FIGURE})\n\n"
        f"Seconds; N = {N:,}, D = {D}, K = {K} where they do not vary, {TEST:,} predictions; "
        f"{machine()}.\n\n{table(rows)}{END}"
    )
    page = folder / "performance.md"
    old = page.read_text()
    page.write_text(old[: old.index(BEGIN)] + text + old[old.index(END) + len(END) :])


if __name__ == "__main__":
    main()
