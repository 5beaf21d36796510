"""Data sets that break the contract: each fails the check whose name it bears.

A summary holds words that the check's message must contain.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench import Data, DatasetSpec, hookimpl

if TYPE_CHECKING:
    from pathlib import Path


def load(data_dir: Path, rng: Any = None) -> Data:
    """Make random images, which breaks nothing."""
    rng = rng or np.random.default_rng(0)
    images = rng.random((60, 1, 4, 4)).astype(np.float32)
    labels = np.arange(60, dtype=np.int64) % 3
    return Data(train_x=images[:40], train_y=labels[:40], test_x=images[40:], test_y=labels[40:])


def counted_from_one(data_dir: Path) -> Data:
    data = load(data_dir)
    return Data(data.train_x, data.train_y + 1, data.test_x, data.test_y + 1)


def from_its_folder(data_dir: Path) -> Data:
    os.environ["LOADED"] = "yes"
    return load(data_dir)


def another_every_time(data_dir: Path) -> Data:
    return load(data_dir, np.random)


def overlapping(data_dir: Path) -> Data:
    data = load(data_dir)
    return Data(data.train_x, data.train_y, data.train_x[:20], data.train_y[:20])


def nowhere(data_dir: Path) -> tuple[Path, ...]:
    return (data_dir / "nowhere.bin",)


@hookimpl
def register_datasets() -> list[DatasetSpec]:
    return [
        DatasetSpec(name="described", summary="", load=load),
        DatasetSpec(
            name="names-its-files", summary="raise DataNotFoundError", load=load, files=nowhere
        ),
        DatasetSpec(name="loads", summary="mend its load()", load=counted_from_one),
        DatasetSpec(name="leaves-the-process-alone", summary="os.environb", load=from_its_folder),
        DatasetSpec(name="is-the-same-every-time", summary="a fixed seed", load=another_every_time),
        DatasetSpec(name="keeps-test-apart", summary="split them", load=overlapping),
    ]
