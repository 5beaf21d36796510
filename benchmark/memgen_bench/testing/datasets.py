"""The checks of the contract for data sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from memgen_bench.data.datasets import load_data
from memgen_bench.data.overlap import TOLERATED, overlap
from memgen_bench.errors import DataError, DataNotFoundError, one_line
from memgen_bench.hashing import array_digest
from memgen_bench.testing.check import (
    Broken,
    Inapplicable,
    check,
    demand,
    described,
    leaves_the_process_alone,
)

if TYPE_CHECKING:
    from memgen_bench.plugin.specs import Data, DatasetSpec


@dataclass(frozen=True)
class DatasetBench:
    """A data set to check, and the data root.

    Attributes:
        spec: The data set's specification.
        data_dir: The data root.
    """

    spec: DatasetSpec
    data_dir: Path

    def exercise(self) -> None:
        """Name the files and load them."""
        self.load()

    def load(self) -> Data:
        """Load and check the data set.

        Raises:
            Inapplicable: The data set is not on disk.
            Broken: The data set has wrong types, shapes or labels.
        """
        try:
            self.spec.files(self.data_dir)
            return load_data(self.spec, self.data_dir)
        except DataNotFoundError as error:
            raise Inapplicable(f"not on disk: {error}") from error
        except DataError as error:
            raise Broken(str(error)) from error


@check(essential=True)
def names_its_files(data: DatasetBench) -> None:
    """`files` names files that are there, or says that they are missing: a plan reads no others."""
    try:
        files = data.spec.files(data.data_dir)
    except DataNotFoundError as error:
        raise Inapplicable(f"not on disk: {error}") from error
    except Exception as error:
        raise Broken(
            f"files() fails with {one_line(error)}; raise DataNotFoundError where files are missing"
        ) from error
    strange = [file for file in files if not isinstance(file, Path)]
    demand(not strange, f"files() returns {strange[:1]}; return paths (pathlib.Path)")
    missing = [file for file in files if not file.is_file()]
    demand(
        not missing,
        f"files() names {', '.join(map(str, missing[:2]))}, which is not there; raise "
        "DataNotFoundError that says how to get it",
    )


@check(essential=True)
def loads(data: DatasetBench) -> None:
    """Images are finite float32 N×C×H×W, labels integers in 0..K-1 with every class present."""
    data.load()


@check()
def is_the_same_every_time(data: DatasetBench) -> None:
    """Its fingerprint is stable: networks and readings are found again by it."""
    before = np.random.get_state()
    prints = []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 2):
            np.random.seed(seed)
            torch.manual_seed(seed)
            loaded = data.load()
            prints.append(
                array_digest(loaded.train_x, loaded.train_y, loaded.test_x, loaded.test_y)
            )
            del loaded  # large ones fit into memory only once
    np.random.set_state(before)
    demand(
        prints[0] == prints[1],
        "loading it twice gives other images, labels or another order; sort files, and draw random "
        "numbers from a generator with a fixed seed",
    )


@check()
def keeps_test_apart(data: DatasetBench) -> None:
    """At most one test image in a thousand is a training image."""
    loaded = data.load()
    shared = overlap(loaded)
    demand(
        shared <= TOLERATED * len(loaded.test_x),
        f"{shared} of {len(loaded.test_x)} test images are in the training set, too; split them "
        "before anything is copied",
    )


CHECKS = (
    described,
    names_its_files,
    loads,
    leaves_the_process_alone,
    is_the_same_every_time,
    keeps_test_apart,
)
