"""Small data sets in the files of the official ones."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.io
from PIL import Image
from torchvision import datasets

from memgen_plugins.datasets.torchvision_datasets import (
    FASHION_MNIST,
)
from memgen_plugins.datasets.torchvision_files import IDX_NAMES, Source, load

if TYPE_CHECKING:
    import pytest

RNG = np.random.default_rng(0)
TRAIN, TEST = 20, 10
IMAGES = RNG.integers(0, 256, (TRAIN + TEST, 28, 28), dtype=np.uint8)
COLOURS = RNG.integers(0, 256, (TRAIN + TEST, 3, 32, 32), dtype=np.uint8)
LABELS = np.arange(TRAIN + TEST, dtype=np.uint8) % 10
FASHION_NO_PACKAGE = replace(FASHION_MNIST, system=None)


def idx(array: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_set() -> dict[str, bytes]:
    parts = (IMAGES[:TRAIN], LABELS[:TRAIN], IMAGES[TRAIN:], LABELS[TRAIN:])
    return {name: idx(array) for name, array in zip(IDX_NAMES, parts, strict=True)}


def write_idx(folder: Path, *, packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in idx_set().items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def scaled(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return pixels / 127.5 - 1


def check_colours(source: Source, data_dir: Path) -> None:
    data = load(source, data_dir)
    assert np.allclose(data.train_x, scaled(COLOURS[:TRAIN]), atol=1e-6)
    assert np.allclose(data.test_x, scaled(COLOURS[TRAIN:]), atol=1e-6)
    assert np.array_equal(data.train_y, LABELS[:TRAIN])
    assert np.array_equal(data.test_y, LABELS[TRAIN:])
    for images in (data.train_x, data.test_x):
        assert images.dtype == np.float32
        assert images.flags.c_contiguous
    assert data.train_y.dtype == data.test_y.dtype == np.int64


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def write_cifar(
    source: Source, folder: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Path]:
    """Write CIFAR batches and make torchvision take their checksums for the official ones."""
    folder.mkdir(parents=True)
    names = [Path(file).name for file in source.files]
    batches = names[:-2]
    rows = COLOURS.reshape(-1, 3072)
    size = TRAIN // len(batches)
    contents: dict[str, Any] = {
        name: {"data": rows[i * size : (i + 1) * size], key: LABELS[i * size :][:size].tolist()}
        for i, name in enumerate(batches)
    }
    contents[names[-2]] = {"data": rows[TRAIN:], key: LABELS[TRAIN:].tolist()}
    official = source.official()
    contents[names[-1]] = {official.meta["key"]: [str(k) for k in range(10)]}
    paths = {name: folder / name for name in names}
    for name, content in contents.items():
        paths[name].write_bytes(pickle.dumps(content, protocol=2))
    meta = {**official.meta, "md5": md5(paths[names[-1]])}
    monkeypatch.setattr(official, "train_list", [[n, md5(paths[n])] for n in batches])
    monkeypatch.setattr(official, "test_list", [[names[-2], md5(paths[names[-2]])]])
    monkeypatch.setattr(official, "meta", meta)
    return paths


def write_svhn(folder: Path, monkeypatch: pytest.MonkeyPatch, address: str = "") -> None:
    """Write H×W×C×N pixels and labels 1..10, of which 10 stands for the digit 0."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = {}
    for split, part in (("train", slice(TRAIN)), ("test", slice(TRAIN, None))):
        labels = np.where(LABELS[part] == 0, 10, LABELS[part])[:, None]
        path = folder / f"{split}_32x32.mat"
        scipy.io.savemat(path, {"X": COLOURS[part].transpose(2, 3, 1, 0), "y": labels})
        splits[split] = [f"{address}/{path.name}", path.name, md5(path)]
    monkeypatch.setattr(datasets.SVHN, "split_list", splits)


def write_image(path: Path, shape: tuple[int, ...] = (6, 4, 3)) -> np.ndarray:
    """Write random pixels and return them, H×W×C."""
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels
