"""MNIST-1D: signals of 40 points in ten classes, generated once by the package `mnist1d`."""

from __future__ import annotations

import io
import random
import zipfile
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench import Data, DataError, DataNotFoundError, DatasetSpec, UsageError, hookimpl
from memgen_bench.toolkit.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memgen_bench.arrays import Images, LabelVector

NAME = "mnist1d"
_FILE = "mnist1d/mnist1d.npz"
_TRAIN_SIZE, _TEST_SIZE = 4_000, 10_000
_LENGTH = 40
_TEST_SEED = 2020  # part of the data set; the package's own seed makes the training signals
_MEND = f"remove it and run `memgen-bench data download {NAME}`"


def mnist1d_files(data_dir: Path) -> tuple[Path, ...]:
    """Return the one file that holds all signals.

    Raises:
        DataNotFoundError: The file is missing.
    """
    file = data_dir / _FILE
    if not file.is_file():
        raise DataNotFoundError(
            f"{NAME} is not in {data_dir} ({_FILE} is missing); run `memgen-bench data download "
            f"{NAME}`, which makes it on this machine"
        )
    return (file,)


def load_mnist1d(data_dir: Path) -> Data:
    """Return 4000 training and 10000 test signals as images of 1×40.

    Raises:
        DataNotFoundError: The file is missing.
        DataError: The file is damaged; the message names it.
    """
    (file,) = mnist1d_files(data_dir)
    try:
        content = io.BytesIO(file.read_bytes())
        with np.lib.npyio.NpzFile(content, allow_pickle=False) as arrays:  # compares checksums
            data = Data(**{each.name: arrays[each.name] for each in fields(Data)})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{NAME}: {file}: {reason}; {_MEND}") from error
    for part, x, y, count in (
        ("train", data.train_x, data.train_y, _TRAIN_SIZE),
        ("test", data.test_x, data.test_y, _TEST_SIZE),
    ):
        if x.shape != (count, 1, 1, _LENGTH) or y.shape != (count,):
            fault = f"{part} is {list(x.shape)} and {list(y.shape)}, not {count} labelled signals"
            raise DataError(f"{NAME}: {file}: {fault}; {_MEND}")
    return data


def make_mnist1d(data_dir: Path) -> None:
    """Generate the signals, unless a sound file of them is in the data root.

    Raises:
        UsageError: The package `mnist1d` is not installed.
        WriteError: The data root cannot be written to.
    """
    try:
        load_mnist1d(data_dir)
    except DataError:
        content = io.BytesIO()
        np.savez(content, **vars(_generate()))
        write_atomically(data_dir / _FILE, content.getvalue())


def _generate() -> Data:
    """Generate the published training signals, and test signals from another random stream.

    The package standardises each part by its own mean and standard deviation.
    """
    try:
        from mnist1d import data as package
    except ImportError as error:
        raise UsageError(
            f"{NAME} is made by the package mnist1d, which cannot be imported ({error}); run pip "
            "install mnist1d"
        ) from error

    defaults = package.get_dataset_args()
    others = package.get_dataset_args()
    others.num_samples, others.train_split, others.seed = _TEST_SIZE, 1.0, _TEST_SEED
    with _global_streams():
        train, test = package.make_dataset(defaults), package.make_dataset(others)
    (train_x, train_y), (test_x, test_y) = _arrays(train), _arrays(test)
    return Data(train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y)


@contextmanager
def _global_streams() -> Iterator[None]:
    """Restore the global random streams, which the package seeds."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _arrays(made: dict[str, Any]) -> tuple[Images, LabelVector]:
    return made["x"].astype(np.float32)[:, None, None, :], made["y"].astype(np.int64)


@hookimpl
def register_datasets() -> list[DatasetSpec]:
    """Offer `mnist1d`."""
    return [
        DatasetSpec(
            name=NAME,
            summary="signals of 40 points, 10 classes, 4000 + 10000 from another random stream",
            citation="Greydanus 2020, arXiv 2011.14439; Greydanus & Kobak 2024",
            version=1,
            load=load_mnist1d,
            files=mnist1d_files,
            download=make_mnist1d,
            generated=True,
        )
    ]
