"""Peak memory of MASC on a layer that is far larger: `pytest tests/benchmarks --benchmark-only -s`.

The activations lie in a memory-mapped file, whose pages the system may drop and which are not
counted; what is counted is the process's own memory (Linux's RssAnon).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import sys, threading, time
import numpy as np, torch
from memgen_bench.compute import as_tensor, threads
from memgen_bench.decode.moments import KeptMoments, keeps_points
from memgen_bench.decode.scratch import Scratch
from memgen_plugins.decoders.layer.subspace import MASC

N, M, D, K = (int(each) for each in sys.argv[1:5])
rng = np.random.default_rng(0)
scratch = Scratch(0)
X, T = scratch.empty((N, D)), scratch.empty((M, D))
y = np.arange(N) % K
mix = rng.standard_normal((200, D)).astype(np.float32) * np.logspace(0, -1, 200)[:, None]
centres = rng.standard_normal((K, D)).astype(np.float32)
mix = mix.astype(np.float32)
for part, labels in ((X, y), (T, np.arange(M) % K)):
    for start in range(0, len(part), 1000):
        block = part[start : start + 1000]
        low = rng.standard_normal((len(block), 200), dtype=np.float32) @ mix
        noise = rng.standard_normal(block.shape, dtype=np.float32)
        block[:] = np.maximum(centres[labels[start : start + 1000]] + low / 14 + noise / 10, 0)
assert keeps_points(N, D, K)


def anonymous():
    for line in open("/proc/self/status"):
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024


before, peak, done = anonymous(), [0.0], threading.Event()


def watch():
    while not done.wait(0.01):
        peak[0] = max(peak[0], anonymous())


watcher = threading.Thread(target=watch)
watcher.start()
with threads(2):
    started = time.perf_counter()
    decoder = MASC().fit_moments(KeptMoments(as_tensor(X), y))
    accuracy = (decoder.predict(as_tensor(T)) == np.arange(M) % K).mean()
done.set()
watcher.join()
seconds = time.perf_counter() - started
print(peak[0] - before, accuracy, decoder.n_components_.mean(), seconds)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_peak_memory(benchmark: Any) -> None:
    sizes = ["50000", "10000", "16384", "10"]
    command = [sys.executable, "-c", PROGRAM, *sizes]
    done = benchmark.pedantic(
        lambda: subprocess.run(command, check=True, capture_output=True, text=True), rounds=1
    )
    peak, accuracy, components, seconds = (float(each) for each in done.stdout.split())
    assert accuracy > 0.9
    benchmark.extra_info["peak_mib"] = peak
    print(
        f"\nD = 16,384: peak {peak:.0f} MiB (asked: <= 1536), {components:.0f} axes a class, ",
        end="",
    )
    print(f"{seconds:.0f} s")
