"""Data sets, checked as they are loaded, and their descriptions for a plan."""

from __future__ import annotations

import json
import warnings
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench.data.overlap import overlap_notices
from memgen_bench.errors import (
    DataError,
    DataNotFoundError,
    MemgenError,
    is_fault,
    one_line,
    text_of,
)
from memgen_bench.files.atomic import write_atomically
from memgen_bench.files.regular import read_regular
from memgen_bench.global_state import preserved
from memgen_bench.hashing import array_digest, digest
from memgen_bench.plan.plan import DataInfo
from memgen_bench.plugin.specs import Data, Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memgen_bench.plugin.specs import DatasetSpec


def load_data(spec: DatasetSpec, data_dir: Path) -> Data:
    """Load a data set and check its types, shapes and labels.

    Raises:
        DataNotFoundError: The data set is not on disk.
        DataError: The data set is damaged or breaks the contract; the message says how.
    """
    try:
        with preserved():
            _generate(spec, data_dir)
            data = spec.load(data_dir)
    except (MemgenError, MemoryError):
        raise
    except BaseException as error:
        if not is_fault(error):
            raise
        raise DataError(
            f"data set {spec.name!r} in {data_dir} cannot be read "
            f"({one_line(error)}); fetch or import it again"
        ) from error
    _check_types(data, spec.name)
    _check(data, spec.name)
    return data


def describe(spec: DatasetSpec, data_dir: Path, cache_dir: Path) -> DataInfo:
    """Describe a data set, reading it only if its files have changed since the last call.

    Warnings of its `files` and `load` become notices.

    Raises:
        DataNotFoundError: The data set is not on disk.
        DataError: The data set is damaged.
    """
    with _notices() as of_files, preserved():
        _generate(spec, data_dir)
        stamp = _stamp(spec, data_dir)
    memo = cache_dir / "fingerprints" / f"{stamp}.json"
    info = _recall(memo)
    if info is None:
        info = _read(spec, data_dir)
        write_atomically(memo, json.dumps(asdict(info), indent=1).encode())
    return replace(info, notices=(*of_files, *info.notices))


def _generate(spec: DatasetSpec, data_dir: Path) -> None:
    """Make a data set that is generated on this machine, where it is missing."""
    if not (spec.generated and spec.download):
        return
    try:
        spec.files(data_dir)
    except DataNotFoundError:
        spec.download(data_dir)


def _read(spec: DatasetSpec, data_dir: Path) -> DataInfo:
    with _notices() as of_load:
        data = load_data(spec, data_dir)
    channels, height, width = data.train_x.shape[1:]
    task = Task(
        channels=channels,
        height=height,
        width=width,
        num_classes=int(data.train_y.max()) + 1,
        pixel_range=(float(data.train_x.min()), float(data.train_x.max())),
    )
    return DataInfo(
        name=spec.name,
        fingerprint=array_digest(data.train_x, data.train_y, data.test_x, data.test_y),
        task=task,
        train_count=len(data.train_y),
        test_count=len(data.test_y),
        notices=(*of_load, *overlap_notices(data)),
    )


@contextmanager
def _notices() -> Iterator[list[str]]:
    """Give a list that holds the texts of all warnings in the end."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    told = (item for item in caught if issubclass(item.category, UserWarning | RuntimeWarning))
    said.extend(dict.fromkeys(one_line(_text(item.message)) for item in told))


def _text(message: Warning | str) -> str:
    return message if isinstance(message, str) else text_of(message)


def _stamp(spec: DatasetSpec, data_dir: Path) -> str:
    """Hash the sizes and times of a data set's files, in place of their contents."""
    files: list[Any] = []
    for path in spec.files(data_dir):
        try:
            status = path.stat()
        except OSError as error:
            raise DataNotFoundError(
                f"data set {spec.name!r}: {path} is not there; memgen-bench data download or "
                f"import {spec.name} puts it there"
            ) from error
        files.append([str(path.resolve()), status.st_size, status.st_mtime_ns])
    return digest({"name": spec.name, "version": spec.version, "files": files})


def _recall(memo: Path) -> DataInfo | None:
    try:
        fields = json.loads(read_regular(memo))
        task = {**fields["task"], "pixel_range": tuple(fields["task"]["pixel_range"])}
        known = {"task": Task(**task), "notices": tuple(fields["notices"])}
        return DataInfo(**{**fields, **known})
    except (OSError, ValueError, TypeError, KeyError):
        return None  # missing or invalid: describe again


def _check_types(data: Any, name: str) -> None:
    if not isinstance(data, Data):
        raise DataError(f"data set {name!r}: load() returned {type(data).__name__}, not a Data")
    for part, array in vars(data).items():
        if not isinstance(array, np.ndarray):
            raise DataError(f"data set {name!r}: {part} is {type(array).__name__}, not an array")


def _check(data: Data, name: str) -> None:
    """Check shapes, types and labels of training and test data."""

    def fail(what: str) -> None:
        raise DataError(f"data set {name!r}: {what}; mend its load()")

    for part, x, y in (
        ("train", data.train_x, data.train_y),
        ("test", data.test_x, data.test_y),
    ):
        if x.ndim != 4 or x.dtype != np.float32:
            fail(f"{part}_x is {x.dtype}{list(x.shape)}, not float32 N×C×H×W")
        if y.shape != (len(x),) or not np.issubdtype(y.dtype, np.integer):
            fail(f"{part}_y is {y.dtype}{list(y.shape)}, not {len(x)} integers")
        if len(x) == 0:
            fail(f"{part}_x holds no image")
        if not all(np.isfinite(x[i : i + 4096]).all() for i in range(0, len(x), 4096)):
            fail(f"{part}_x holds values that are not finite")
    if data.train_x.shape[1:] != data.test_x.shape[1:]:
        fail(f"images are {data.train_x.shape[1:]} in train, {data.test_x.shape[1:]} in test")
    classes = np.unique(data.train_y)
    if len(classes) < 2:
        fail("there is only one class; decoding needs two")
    if classes[0] != 0 or classes[-1] != len(classes) - 1:
        fail(f"train labels are {_some(classes)}, not 0..K-1 with every class present")
    if not np.isin(data.test_y, classes).all():
        fail(f"test labels are {_some(np.unique(data.test_y))}, not within 0..{len(classes) - 1}")


def _some(values: Any) -> str:
    shown = ", ".join(str(value) for value in values[:6])
    return shown + (", …" if len(values) > 6 else "")
