"""MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100 and SVHN, through torchvision."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from memgen_bench import DatasetSpec, hookimpl
from memgen_plugins.datasets.torchvision_files import IDX_NAMES, Source, find_files, load
from memgen_plugins.datasets.torchvision_import import download, import_from

_CIFAR10_NAMES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")

MNIST = Source(
    name="mnist",
    torchvision="MNIST",
    files=tuple(f"MNIST/raw/{name}" for name in IDX_NAMES),
)
FASHION_MNIST = Source(
    name="fashion-mnist",
    torchvision="FashionMNIST",
    files=tuple(f"FashionMNIST/raw/{name}" for name in IDX_NAMES),
    system=Path("/usr/share/datasets/fashion-mnist"),
    package="dataset-fashion-mnist",
)
CIFAR10 = Source(
    name="cifar10",
    torchvision="CIFAR10",
    files=tuple(f"cifar-10-batches-py/{name}" for name in _CIFAR10_NAMES),
    archive="cifar-10-python.tar.gz",
)
CIFAR100 = Source(
    name="cifar100",
    torchvision="CIFAR100",
    files=tuple(f"cifar-100-python/{name}" for name in ("train", "test", "meta")),
    archive="cifar-100-python.tar.gz",
)
SVHN = Source(
    name="svhn",
    torchvision="SVHN",
    files=("train_32x32.mat", "test_32x32.mat"),
)


def _spec(source: Source, *, summary: str, citation: str) -> DatasetSpec:
    return DatasetSpec(
        name=source.name,
        summary=summary,
        citation=citation,
        version=1,
        load=partial(load, source),
        files=partial(find_files, source),
        download=partial(download, source),
        import_from=partial(import_from, source),
    )


@hookimpl
def register_datasets() -> list[DatasetSpec]:
    """Offer the five data sets."""
    return [
        _spec(
            MNIST,
            summary="28x28 handwritten digits, 10 classes, 60000 + 10000",
            citation="LeCun, Bottou, Bengio & Haffner 1998, Proceedings of the IEEE 86(11)",
        ),
        _spec(
            FASHION_MNIST,
            summary="28x28 articles of clothing, 10 classes, 60000 + 10000",
            citation="Xiao, Rasul & Vollgraf 2017, arXiv 1708.07747",
        ),
        _spec(
            CIFAR10,
            summary="32x32 colour photographs, 10 classes, 50000 + 10000",
            citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        ),
        _spec(
            CIFAR100,
            summary="32x32 colour photographs, 100 classes, 50000 + 10000",
            citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        ),
        _spec(
            SVHN,
            summary="32x32 colour house numbers, 10 classes, 73257 + 26032",
            citation="Netzer et al. 2011, NIPS Workshop on Deep Learning",
        ),
    ]
