"""The files of torchvision's data sets: found, checked, and read as torchvision does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from torchvision import datasets

from helpers.image_sets import TRAIN, check_colours, idx_set, write_cifar, write_idx, write_svhn
from memgen_bench import DataError
from memgen_plugins.datasets.torchvision_datasets import (
    CIFAR10,
    CIFAR100,
    FASHION_MNIST,
    MNIST,
    SVHN,
)
from memgen_plugins.datasets.torchvision_files import IDX_NAMES, Source, find_files, load

if TYPE_CHECKING:
    from pathlib import Path

    pass


def test_pixels_are_scaled_as_by_torchvisions_transforms(tmp_path: Path) -> None:
    from torchvision import transforms

    root = write_idx(tmp_path / "MNIST" / "raw").parent.parent
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
    reference = datasets.MNIST(root, transform=steps)[0][0].numpy()
    assert np.array_equal(load(MNIST, root).train_x[0], reference)


def test_files_are_those_that_are_read(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "MNIST" / "raw", packed=True)
    (folder / IDX_NAMES[0]).write_bytes(idx_set()[IDX_NAMES[0]])
    names = [path.name for path in find_files(MNIST, tmp_path)]
    assert names == [IDX_NAMES[0], *(f"{name}.gz" for name in IDX_NAMES[1:])]


def test_system_package_is_used_where_the_data_root_lacks_a_file(tmp_path: Path) -> None:
    source = replace(FASHION_MNIST, system=write_idx(tmp_path / "system", packed=True))
    folder = write_idx(tmp_path / "FashionMNIST" / "raw")
    assert {path.parent for path in find_files(source, tmp_path)} == {folder}
    (folder / IDX_NAMES[2]).unlink()
    assert {path.parent for path in find_files(source, tmp_path)} == {source.system}
    assert len(load(source, tmp_path).train_y) == TRAIN


@pytest.mark.parametrize(("source", "key"), [(CIFAR10, "labels"), (CIFAR100, "fine_labels")])
def test_cifar(tmp_path: Path, source: Source, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_cifar(source, (tmp_path / source.files[0]).parent, key, monkeypatch)
    assert set(find_files(source, tmp_path)) == set(paths.values())
    check_colours(source, tmp_path)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_damaged_cifar_is_never_unpickled(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_cifar(CIFAR10, tmp_path / "cifar-10-batches-py", "labels", monkeypatch)
    paths[name].write_bytes(paths[name].read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"{name}: not the official file \(its MD5 .*download"):
        load(CIFAR10, tmp_path)


def test_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_svhn(tmp_path, monkeypatch)
    check_colours(SVHN, tmp_path)


def test_damaged_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_svhn(tmp_path, monkeypatch)
    path = tmp_path / "test_32x32.mat"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"svhn: .*test_32x32\.mat: not the official file"):
        load(SVHN, tmp_path)
