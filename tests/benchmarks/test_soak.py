"""A soak: kills, rude plugins, two runs on one folder, compaction and verification beside them.

Runs are forked, so that nearly all of their lives is work, and deeds come close together: as many
in 18 seconds as in a minute of programs that start anew. Minutes come from the environment, as in
`MEMGEN_SOAK_MINUTES=30 pytest -m slow …test_soak.py`.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import psutil
import pytest

import memgen_bench
from helpers.forked_commands import memgen_silently
from helpers.forking import forked
from helpers.rude_decoders import CHANGERS, WRITERS
from memgen_bench.results.schemas import IDENTITIES, MEASURED

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

MINUTES = float(os.environ.get("MEMGEN_SOAK_MINUTES", "0.2"))
SUITE = """
name = "soak"
version = 1
summary = "for a soak"
models = ["mlp"]
datasets = ["digits"]
rates = [0.6]
decoders = ["masc", "ncm", "knn-5", "{rude}"]
train_size = 120
test_size = 60
validation_fraction = 0.25
max_layer_dim = 32
"""
RUDE = (
    *("by-tensor-in-fit", "by-order-in-predict", "to-axes", "grad-in-predict", "dtype-in-predict"),
    *("argmax-in-fit", "streams-in-build", "environment-in-fit", "denormals-in-predict"),
)


def start(folder: Path) -> ForkServerProcess:
    words = ["--suite", str(folder.parent / "soak.toml"), "--all", "--jobs", "1"]
    words += ["--cache-dir", str(folder / "cache"), "--results", str(folder / "results")]
    for name in ("writers", "changers"):
        words += ["--plugin", str(folder.parent / f"{name}.py")]
    return forked(memgen_silently, "run", *words)


def end_of(process: ForkServerProcess) -> int | None:
    process.join()
    return process.exitcode


def rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the identities and measured columns of both tables, in a fixed order."""
    tables = {"readings": memgen_bench.read_results, "networks": memgen_bench.read_networks}
    return {
        name: pl.DataFrame(read(folder / "results"))
        .select(IDENTITIES[name], "status", *MEASURED[name])
        .sort(IDENTITIES[name])
        .to_dicts()
        for name, read in tables.items()
    }


def descendants() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@pytest.mark.slow
def test_after_a_soak_all_is_as_if_nothing_had_happened(tmp_path: Path) -> None:
    (tmp_path / "soak.toml").write_text(SUITE.format(rude='", "'.join(RUDE)))
    for name, text in (("writers", WRITERS), ("changers", CHANGERS)):
        (tmp_path / f"{name}.py").write_text(text)
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    forked(memgen_silently, "--version").join()  # starts what others are forked from
    before = descendants()
    assert end_of(start(calm)) in (0, 1)
    drawn, until = random.Random(0), time.monotonic() + 60 * MINUTES
    runs = [start(rough) for _ in range(2)]
    while time.monotonic() < until:
        time.sleep(drawn.uniform(0.1, 2))
        place = drawn.randrange(len(runs))
        deed = drawn.choice(["kill", "terminate", "kill a child", "compact", "verify"])
        if deed in ("compact", "verify") and (rough / "results" / "readings").is_dir():
            words = ["results", deed, str(rough / "results")]
            assert end_of(forked(memgen_silently, *words)) == 0
        elif deed == "kill a child":
            pids = {run.pid for run in runs}
            children = [each for each in descendants() - before if each.pid not in pids]
            for each in drawn.sample(children, min(1, len(children))):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.terminate()
        elif deed in ("kill", "terminate"):
            getattr(runs[place], deed)()
            runs[place].join()
        runs[place] = start(rough) if runs[place].exitcode is not None else runs[place]
    for run in runs:
        run.join()
    assert end_of(start(rough)) in (0, 1)
    time.sleep(2)  # what was killed may take a moment to end
    assert descendants() - before == set()
    assert not [path for path in rough.rglob("*") if path.name.endswith((".tmp", ".damaged"))]
    assert rows(rough) == rows(calm)
