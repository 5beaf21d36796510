"""scikit-learn's digits, which ship with the package: nothing is downloaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import Data, DataNotFoundError, DatasetSpec, hookimpl

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_bench.arrays import LabelVector

_TEST_SIZE = 500
_SPLIT_SEED = 1797  # part of the data set: another seed makes another version
_BRIGHTEST = 16  # pixels are 0..16


def choose_test(labels: LabelVector, size: int, seed: int) -> npt.NDArray[np.bool_]:
    """Choose a stratified test set: every class has its share of `size`, rounded.

    Args:
        labels: N labels in 0..K-1.
        size: Number of test points.
        seed: Seed of one `random()` draw per point; the smallest draws of each class are chosen.
            Of NumPy's distributions this one is the least likely to change between versions.

    Returns:
        N booleans, of which `size` are true.
    """
    share = np.bincount(labels) * size / len(labels)
    quota = np.floor(share).astype(np.int64)
    rounded_up = np.argsort(quota - share, kind="stable")[: size - quota.sum()]
    quota[rounded_up] += 1
    order = np.argsort(np.random.default_rng(seed).random(len(labels)), kind="stable")
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for k, count in enumerate(quota):
        chosen[order[labels[order] == k][:count]] = True
    return chosen


def digits_files(data_dir: Path) -> tuple[Path, ...]:
    """Return the one file that scikit-learn reads, without importing scikit-learn."""
    found = importlib.util.find_spec("sklearn")
    package = Path(found.origin).parent if found and found.origin else Path("sklearn")
    file = package / "datasets" / "data" / "digits.csv.gz"
    if not file.is_file():
        raise DataNotFoundError(f"digits: {file} is missing; install scikit-learn again")
    return (file,)


def load_digits(data_dir: Path) -> Data:
    """Return 1297 training and 500 test images of 8×8 pixels in [-1, 1]."""
    from sklearn import datasets

    bunch = datasets.load_digits()
    pixels = np.asarray(bunch.images)[:, None] / _BRIGHTEST
    images = ((pixels - 0.5) / 0.5).astype(np.float32)
    labels = np.asarray(bunch.target, dtype=np.int64)
    test = choose_test(labels, _TEST_SIZE, _SPLIT_SEED)
    return Data(
        train_x=images[~test], train_y=labels[~test], test_x=images[test], test_y=labels[test]
    )


@hookimpl
def register_datasets() -> list[DatasetSpec]:
    """Offer `digits`."""
    return [
        DatasetSpec(
            name="digits",
            summary="8x8 handwritten digits, 10 classes, ships with scikit-learn",
            citation="Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits",
            version=1,
            load=load_digits,
            files=digits_files,
        )
    ]
