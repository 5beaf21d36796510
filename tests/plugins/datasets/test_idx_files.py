"""IDX files are read as they are, and damage is named."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from helpers.image_sets import (
    FASHION_NO_PACKAGE,
    IMAGES,
    LABELS,
    TRAIN,
    idx,
    idx_set,
    scaled,
    write_idx,
)
from memgen_bench import DataError
from memgen_plugins.datasets.torchvision_datasets import (
    FASHION_MNIST,
    MNIST,
)
from memgen_plugins.datasets.torchvision_files import IDX_NAMES, Source, load
from memgen_plugins.datasets.torchvision_import import import_from

if TYPE_CHECKING:
    from pathlib import Path

    pass


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("source", [MNIST, FASHION_NO_PACKAGE], ids=lambda source: source.name)
def test_idx_is_read_and_scaled(tmp_path: Path, source: Source, packed: bool) -> None:
    write_idx(tmp_path / source.torchvision / "raw", packed=packed)
    data = load(source, tmp_path)
    assert data.train_x.shape == (TRAIN, 1, 28, 28)
    assert np.allclose(data.train_x[:, 0], scaled(IMAGES[:TRAIN]), atol=1e-6)
    assert np.allclose(data.test_x[:, 0], scaled(IMAGES[TRAIN:]), atol=1e-6)
    assert np.array_equal(data.train_y, LABELS[:TRAIN])
    assert np.array_equal(data.test_y, LABELS[TRAIN:])
    assert data.train_x.dtype == np.float32
    assert data.train_y.dtype == np.int64
    assert data.train_x.flags.c_contiguous


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_files_are_read_whatever_they_are_called(
    tmp_path: Path, ending: str, packed: bool, dotted: bool
) -> None:
    folder = tmp_path / "have" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in idx_set().items():
        called = (name.replace("-idx", ".idx") if dotted else name) + ending
        (folder / called).write_bytes(gzip.compress(content) if packed else content)
    expected = load(MNIST, write_idx(tmp_path / "MNIST" / "raw").parent.parent)
    import_from(MNIST, folder / called, tmp_path / "root")
    for root in ("have", "root"):
        data = load(MNIST, tmp_path / root)
        for part, array in vars(data).items():
            np.testing.assert_array_equal(array, getattr(expected, part))
    assert all((tmp_path / "root" / file).is_file() for file in MNIST.files)


def test_a_gz_that_is_something_else_is_named(tmp_path: Path) -> None:
    path = write_idx(tmp_path / "MNIST" / "raw", packed=True) / f"{IDX_NAMES[0]}.gz"
    path.write_bytes(b"<!doctype html>")
    message = f"^mnist: {path}: wrong magic number 0x3c21646f, expected 0x00000803; get a sound"
    with pytest.raises(DataError, match=message):
        load(MNIST, tmp_path)


def idx_damage() -> list[Any]:
    images, labels, test_images, _ = idx_set().values()
    wrong_label = idx(np.full(TRAIN, 10, dtype=np.uint8))
    cases = {
        "truncated": (0, images[:-1], f"truncated: {len(images) - 1} bytes.* says {len(images)}"),
        "cut header": (0, images[:10], "truncated: 10 bytes, less than its header"),
        "empty": (1, b"", "truncated: 0 bytes"),
        "too long": (2, test_images + b"x", "too long"),
        "swapped": (0, labels, "wrong magic number 0x00000801, expected 0x00000803"),
        "not IDX": (1, b"<html>not found</html>", "wrong magic number 0x3c68746d, expected"),
        "no entries": (1, idx(np.zeros(0, dtype=np.uint8)), "holds no entries"),
        "counts": (1, idx(LABELS[: TRAIN - 1]), "19 labels, but train-images.* holds 20 images"),
        "label": (1, wrong_label, "label 10, where 0 to 9 can be"),
    }
    return [pytest.param(*case, id=name) for name, case in cases.items()]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("file", "content", "message"), idx_damage())
def test_damaged_idx(tmp_path: Path, file: int, content: bytes, message: str, packed: bool) -> None:
    folder = write_idx(tmp_path / "MNIST" / "raw", packed=packed)
    path = folder / (IDX_NAMES[file] + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message) as caught:
        load(MNIST, tmp_path)
    text = str(caught.value)
    assert text.startswith(f"mnist: {path}: ")
    assert text.endswith("with `memgen-bench data download mnist`")
    assert "\n" not in text


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-20],
        lambda content: content[:200] + b"\xff" * 40 + content[240:],
    ],
    ids=["truncated", "overwritten"],
)
def test_damaged_gzip(tmp_path: Path, damage: Any) -> None:
    source = replace(FASHION_MNIST, system=write_idx(tmp_path / "system", packed=True))
    path = tmp_path / "system" / f"{IDX_NAMES[0]}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"gz: does not decompress: .*; install the Debian pack"):
        load(source, tmp_path)
