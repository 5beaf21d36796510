"""Label noise from files: a confusion matrix, or a whole vector of labels."""

from __future__ import annotations

import hashlib
import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import Family, NoiseSpec, NotApplicable, UsageError, hookimpl

if TYPE_CHECKING:
    import numpy.typing as npt

    from memgen_bench import Positions
    from memgen_bench.arrays import LabelVector, Transition

_CONFUSION, _FROM_FILE = "confusion/", "from-file/"
_CIFAR10 = f"{_CONFUSION}cifar10"
# Truck to automobile, bird to airplane, deer to horse, cat to dog and dog to cat.
_CIFAR10_PAIRS = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
_ROUNDING = 1e-6


def confuse(
    labels: LabelVector,
    rate: float,
    num_classes: int,
    rng: np.random.Generator,
    *,
    matrix: Transition,
) -> LabelVector:
    """Redraw chosen labels from their class's row of a matrix."""
    _check_classes(matrix, num_classes)
    chosen, draw = rng.random(len(labels)) < rate, rng.random(len(labels))
    given = labels.copy()
    for k, row in enumerate(matrix.cumsum(axis=1)):
        places = np.flatnonzero(chosen & (labels == k))
        found = np.searchsorted(row, draw[places] * row[-1], side="right")
        given[places] = np.minimum(found, num_classes - 1)
    return given


def confusion_transition(rate: float, num_classes: int, *, matrix: Transition) -> Transition:
    """Return P[true, given] of `confuse`."""
    _check_classes(matrix, num_classes)
    return (1 - rate) * np.eye(num_classes) + rate * matrix


def _check_classes(matrix: Transition, num_classes: int) -> None:
    if len(matrix) != num_classes:
        raise NotApplicable(f"a matrix of {len(matrix)} classes is none of {num_classes}")


def take_given(
    labels: LabelVector,
    rate: float,
    num_classes: int,
    rng: np.random.Generator,
    *,
    positions: Positions,
    given: LabelVector,
) -> LabelVector:
    """Give chosen images their labels in a file; at rate 1 all images."""
    if len(given) != positions.count:
        raise NotApplicable(
            f"the file holds {len(given)} labels, the data set {positions.count} training images"
        )
    if given.max() >= num_classes:
        place = int(given.argmax())
        raise NotApplicable(
            f"label {given[place]} of image {place} in the file is not within 0..{num_classes - 1}"
        )
    return np.where(rng.random(len(labels)) < rate, given[positions.index], labels)


def read_matrix(content: bytes, path: Path) -> Transition:
    """Return a square matrix whose rows are probabilities.

    Raises:
        UsageError: The file holds no such matrix; the message says why.
    """
    matrix = _read(content, path)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise UsageError(
            f"{path}: {list(matrix.shape)} numbers are no K×K matrix; save P[true, given]"
        )
    sums = matrix.sum(axis=1)
    wrong = (matrix < 0).any(axis=1) | ~(np.abs(sums - 1) <= _ROUNDING)
    if wrong.any():
        row = int(wrong.argmax())
        raise UsageError(
            f"{path}: row {row} sums to {sums[row]:g} with {matrix[row].min():g} as its least; its "
            "rows must be probabilities of given labels, from 0 on and 1 in all"
        )
    shares: Transition = matrix / sums[:, None]
    return shares


def read_labels(content: bytes, path: Path) -> LabelVector:
    """Return a vector of labels from 0 on.

    Raises:
        UsageError: The file holds no such vector; the message says why.
    """
    labels = _read(content, path)
    if labels.ndim != 1 or not len(labels):
        raise UsageError(
            f"{path}: {list(labels.shape)} numbers are no vector; save a label an image"
        )
    wrong = ~((labels >= 0) & np.isfinite(labels) & (labels == np.floor(labels)))
    if wrong.any():
        place = int(wrong.argmax())
        raise UsageError(f"{path}: {labels[place]:g} of image {place} is no label; count from 0")
    return labels.astype(np.int64)


def _read(content: bytes, path: Path) -> npt.NDArray[np.float64]:
    """Return the numbers in a .npy or .csv file, without unpickling."""
    if path.suffix not in (".npy", ".csv"):
        raise UsageError(f"{path}: its name must end in .npy or .csv")
    try:
        if path.suffix == ".npy":
            found = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
            return np.array(found, dtype=np.float64)
        lines = [line.split(",") for line in content.decode().splitlines() if line.strip()]
        table = np.array(lines, dtype=np.float64)
    except (ValueError, TypeError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"{path}: cannot be read as numbers ({reason}); save a plain array of them"
        ) from error
    return table.ravel() if 1 in table.shape else table


def _opened(name: str, prefix: str) -> tuple[bytes, Path, int]:
    """Return a file's contents, its path, and a version that depends on the contents."""
    path = Path(name.removeprefix(prefix))
    if path == Path():
        raise KeyError(name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"noise {name!r}: {path} cannot be read ({error.strerror}); name a .npy or .csv file, "
            f"as {prefix}my.npy or, with its whole path, {prefix}/home/me/my.npy"
        ) from error
    return content, path, 1 + int(hashlib.sha256(content).hexdigest()[:12], 16)


def _confusion(
    name: str, matrix: Transition, summary: str, version: int, citation: str = ""
) -> NoiseSpec:
    return NoiseSpec(
        name=name,
        summary=summary,
        version=version,
        citation=citation,
        corrupt=partial(confuse, matrix=matrix),
        transition=partial(confusion_transition, matrix=matrix),
    )


def _resolve_confusion(name: str) -> NoiseSpec:
    if name == _CIFAR10:
        matrix = np.eye(10)[[_CIFAR10_PAIRS.get(k, k) for k in range(10)]]
        return _confusion(
            name,
            matrix,
            "CIFAR-10's truck to automobile, bird to airplane, deer to horse, cat to dog and back",
            1,
            "Patrini et al. 2017, arXiv 1609.03683",
        )
    content, path, version = _opened(name, _CONFUSION)
    return _confusion(name, read_matrix(content, path), "redraw from a matrix in a file", version)


def _resolve_from_file(name: str) -> NoiseSpec:
    content, path, version = _opened(name, _FROM_FILE)
    return NoiseSpec(
        name=name,
        summary="labels of a file, one for each training image, for the chosen images",
        version=version,
        corrupt=partial(take_given, given=read_labels(content, path)),
        transition=None,
        needs=("positions",),
    )


@hookimpl
def register_noises() -> list[Family[NoiseSpec]]:
    """Offer the families `confusion/` and `from-file/`."""
    return [
        Family(
            prefix=_CONFUSION,
            summary="confusion/<file>: redraw from a K×K matrix P[true, given], .csv or .npy",
            resolve=_resolve_confusion,
            featured=(_CIFAR10,),
        ),
        Family(
            prefix=_FROM_FILE,
            summary="from-file/<file>: labels that people gave, one a training image, .csv or .npy",
            resolve=_resolve_from_file,
        ),
    ]
