"""A short run on the real Fashion-MNIST with the paper's network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import memgen_bench
from memgen_bench.files.places import default_data_dir
from memgen_bench.plan.suite import Suite

if TYPE_CHECKING:
    from pathlib import Path


def here() -> bool:
    spec = memgen_bench.load_registry().datasets["fashion-mnist"]
    try:
        spec.files(default_data_dir())
    except memgen_bench.DataNotFoundError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not here(), reason="Fashion-MNIST is not on this machine")
def test_layers_of_a_noisily_trained_cnn_beat_its_readout(tmp_path: Path) -> None:
    recipe = {"lr": 1e-3, "batch_size": 32, "max_epochs": 30, "target": 0.99, "threads": 1}
    suite = Suite.model_validate(
        {
            "name": "short",
            "version": 1,
            "pairs": [
                {
                    "model": "paper-cnn",
                    "dataset": "fashion-mnist",
                    "recipe": recipe,
                }
            ],
            "rates": [0.6],
            "kinds": ["memorized"],
            "labels": ["corrupted"],
            "decoders": ["masc", "ncm", "lda-shrunk"],
            "train_size": 1000,
            "test_size": 1000,
        }
    )
    summary = memgen_bench.run(suite, results=tmp_path, cache_dir=tmp_path / "cache")
    assert summary.ok == summary.planned == 2 + 3 * 5
    rows = pl.from_arrow(memgen_bench.read_results(tmp_path))
    assert isinstance(rows, pl.DataFrame)
    noisy = rows.filter(pl.col("rate") == 0.6)
    readout = noisy.filter(pl.col("decoder") == "readout")["test_accuracy"].item()
    hidden = noisy.filter(pl.col("layer") == "flatten")
    accuracy = dict(hidden.select("decoder", "test_accuracy").iter_rows())
    assert noisy["realised_rate"].max() == pytest.approx(0.54, abs=0.03)  # 0.6 × (1 - 1/10)
    assert readout > 0.4
    assert accuracy["ncm"] > readout + 0.02  # 5.3 to 7.0 points in seeds 0 to 3
    assert min(accuracy.values()) > 0.3
