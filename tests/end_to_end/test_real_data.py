"""A short run on real images of Fashion-MNIST with the paper's network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import memgen_bench
from helpers.image_sets import idx
from memgen_bench.files.places import default_data_dir
from memgen_bench.plan.suite import Suite
from memgen_plugins.datasets.idx_files import read_idx
from memgen_plugins.datasets.torchvision_files import IDX_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COUNT = 600  # a curve over all 10,000 test images would take most of a training's time


def files(root: Path | None = None) -> Sequence[Path]:
    """Return the files of the data set, in the order of their names; none where it is not here."""
    spec = memgen_bench.load_registry().datasets["fashion-mnist"]
    try:
        found: Sequence[Path] = spec.files(root or default_data_dir())
    except memgen_bench.DataNotFoundError:
        return ()
    return found


@pytest.fixture
def first_images(tmp_path: Path) -> Path:
    """Write the first images of either half where torchvision does, and return the data root."""
    root = tmp_path / "data"
    folder = root / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for name in IDX_NAMES:
        (path,) = (file for file in files() if file.name.startswith(name))
        array = read_idx(path, 3 if "images" in name else 1)[:COUNT]
        (folder / name).write_bytes(idx(array.astype(np.uint8)))
    assert {file.parent for file in files(root)} == {folder}  # and not the whole data set
    return root


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not files(), reason="Fashion-MNIST is not on this machine")
def test_layers_of_a_noisily_trained_cnn_beat_its_readout(
    first_images: Path, tmp_path: Path
) -> None:
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
            "train_size": COUNT,
            "test_size": COUNT,
            "max_layer_dim": 576,  # of `flatten`, which is looked at; larger maps are pooled
        }
    )
    summary = memgen_bench.run(
        suite, results=tmp_path, cache_dir=tmp_path / "cache", data_dir=first_images
    )
    assert summary.ok == summary.planned == 2 + 3 * 5
    rows = pl.from_arrow(memgen_bench.read_results(tmp_path))
    assert isinstance(rows, pl.DataFrame)
    noisy = rows.filter(pl.col("rate") == 0.6)
    readout = noisy.filter(pl.col("decoder") == "readout")["test_accuracy"].item()
    hidden = noisy.filter(pl.col("layer") == "flatten")
    accuracy = dict(hidden.select("decoder", "test_accuracy").iter_rows())
    assert noisy["realised_rate"].max() == pytest.approx(0.54, abs=0.07)  # 0.6 × (1 - 1/10)
    assert readout > 0.4
    assert accuracy["ncm"] > readout + 0.02  # 4.5 to 14.8 points in seeds 0 to 3
    assert min(accuracy.values()) > 0.3
