"""The data sets of torchvision as they are registered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memgen_bench import DataNotFoundError
from memgen_plugins.datasets import torchvision_datasets
from memgen_plugins.datasets.torchvision_datasets import (
    CIFAR10,
    CIFAR100,
    FASHION_MNIST,
    SVHN,
)
from memgen_plugins.datasets.torchvision_files import IDX_NAMES, find_files, load


def test_missing_data_says_how_to_get_it(tmp_path: Path) -> None:
    for spec in torchvision_datasets.register_datasets():
        if spec.name == "fashion-mnist":
            continue
        for read in (spec.files, spec.load):
            with pytest.raises(DataNotFoundError, match=f"`memgen-bench data download {spec.name}"):
                read(tmp_path)


def test_missing_fashion_mnist_names_the_package(tmp_path: Path) -> None:
    source = replace(FASHION_MNIST, system=tmp_path / "not-installed")
    with pytest.raises(DataNotFoundError, match="Debian package dataset-fashion-mnist"):
        find_files(source, tmp_path)


def test_registered() -> None:
    specs = {spec.name: spec for spec in torchvision_datasets.register_datasets()}
    assert sorted(specs) == ["cifar10", "cifar100", "fashion-mnist", "mnist", "svhn"]
    for spec in specs.values():
        assert spec.summary
        assert spec.citation
        assert spec.download
        assert spec.import_from


def test_torchvision_knows_every_checksum() -> None:
    for source in (CIFAR10, CIFAR100, SVHN):
        assert set(source.checksums()) == {Path(file).name for file in source.files}


@pytest.mark.real_data
def test_real_fashion_mnist(tmp_path: Path) -> None:
    try:
        files = find_files(FASHION_MNIST, tmp_path)
    except DataNotFoundError as error:
        pytest.skip(str(error))
    assert [path.name for path in files] == [f"{name}.gz" for name in IDX_NAMES]
    data = load(FASHION_MNIST, tmp_path)
    assert data.train_x.shape == (60000, 1, 28, 28)
    assert data.test_x.shape == (10000, 1, 28, 28)
    assert np.bincount(data.train_y).tolist() == [6000] * 10
    assert np.bincount(data.test_y).tolist() == [1000] * 10
    assert (data.train_x.min(), data.train_x.max()) == (-1, 1)
    assert data.train_x.mean() == pytest.approx(2 * 0.2860 - 1, abs=1e-4)  # the known mean
    assert data.train_y[:5].tolist() == [9, 0, 0, 3, 0]
