"""A soak: kills, rude plugins, two runs on one folder, compaction and verification beside them.

Minutes come from the environment, as in `MEMGEN_SOAK_MINUTES=30 pytest -m slow …test_soak.py`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import psutil
import pytest

import memgen_bench
from helpers.rude_decoders import CHANGERS, WRITERS
from memgen_bench.results.schemas import IDENTITIES, MEASURED

if TYPE_CHECKING:
    from pathlib import Path

MINUTES = float(os.environ.get("MEMGEN_SOAK_MINUTES", "1"))
SUITE = """
name = "soak"
version = 1
summary = "for a soak"
models = ["mlp"]
datasets = ["digits"]
rates = [0.2, 0.4, 0.6, 0.8]
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


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "memgen_bench.cli", *words, "--results", str(folder / "results")]


def start(folder: Path) -> subprocess.Popen[bytes]:
    words = ["run", "--suite", str(folder.parent / "soak.toml"), "--all", "--jobs", "1"]
    words += ["--cache-dir", str(folder / "cache")]
    for name in ("writers", "changers"):
        words += ["--plugin", str(folder.parent / f"{name}.py")]
    silent: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command(folder, *words), start_new_session=True, **silent)


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


def descendants(token: str) -> list[int]:
    """Return the ids of processes that were started with a token in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MEMGEN_SOAK") == token:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("true_children")
def test_after_a_soak_all_is_as_if_nothing_had_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = str(tmp_path)
    monkeypatch.setenv("MEMGEN_SOAK", token)
    (tmp_path / "soak.toml").write_text(SUITE.format(rude='", "'.join(RUDE)))
    for name, text in (("writers", WRITERS), ("changers", CHANGERS)):
        (tmp_path / f"{name}.py").write_text(text)
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    assert start(calm).wait() in (0, 1)
    drawn, until = random.Random(0), time.monotonic() + 60 * MINUTES
    runs = [start(rough) for _ in range(2)]
    while time.monotonic() < until:
        time.sleep(drawn.uniform(0.5, 8))
        place = drawn.randrange(len(runs))
        deed = drawn.choice(["kill", "terminate", "kill a child", "compact", "verify"])
        if deed in ("compact", "verify") and (rough / "results" / "readings").is_dir():
            looked = subprocess.run(
                [sys.executable, "-m", "memgen_bench.cli", "results", deed, rough / "results"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert looked.returncode == 0, looked.stdout + looked.stderr
        elif deed == "kill a child":
            for child in drawn.sample(descendants(token), 1) if descendants(token) else []:
                if child not in [run.pid for run in runs]:
                    os.kill(child, signal.SIGTERM)
        elif deed in ("kill", "terminate"):
            getattr(runs[place], deed)()
            runs[place].wait()
        runs[place] = start(rough) if runs[place].poll() is not None else runs[place]
    for run in runs:
        run.wait()
    assert start(rough).wait() in (0, 1)
    time.sleep(2)  # what was killed may take a moment to end
    assert descendants(token) == []
    assert not [path for path in rough.rglob("*") if path.name.endswith((".tmp", ".damaged"))]
    assert rows(rough) == rows(calm)
