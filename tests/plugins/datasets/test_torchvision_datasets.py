from __future__ import annotations

import gzip
import hashlib
import pickle
import shutil
import struct
import tarfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.io
from torchvision import datasets

from memgen_bench import DataError, DataNotFoundError, UsageError
from memgen_plugins.datasets import torchvision_datasets
from memgen_plugins.datasets.torchvision_datasets import (
    CIFAR10,
    CIFAR100,
    FASHION_MNIST,
    MNIST,
    SVHN,
)
from memgen_plugins.datasets.torchvision_files import IDX_NAMES, Source, find_files, load
from memgen_plugins.datasets.torchvision_import import download, import_from

if TYPE_CHECKING:
    from collections.abc import Iterator

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


# IDX: MNIST, Fashion-MNIST


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
        lambda content: b"no gzip at all",
        lambda content: content[:200] + b"\xff" * 40 + content[240:],
    ],
    ids=["truncated", "not gzip", "overwritten"],
)
def test_damaged_gzip(tmp_path: Path, damage: Any) -> None:
    source = replace(FASHION_MNIST, system=write_idx(tmp_path / "system", packed=True))
    path = tmp_path / "system" / f"{IDX_NAMES[0]}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"gz: does not decompress: .*; install the Debian pack"):
        load(source, tmp_path)


# CIFAR, SVHN


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


# download


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serve a folder over HTTP; give the folder and its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    folder = tmp_path / "server"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        thread = Thread(target=running.serve_forever, args=[0.01])
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def mnist_server(server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let torchvision's downloader find MNIST in a folder."""
    folder, address = server
    write_idx(folder, packed=True)
    resources = [(f"{name}.gz", md5(folder / f"{name}.gz")) for name in IDX_NAMES]
    monkeypatch.setattr(datasets.MNIST, "mirrors", [f"{address}/"])
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    return folder


@pytest.mark.usefixtures("mnist_server")
def test_download(tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    download(MNIST, root)
    assert len(load(MNIST, root).train_y) == TRAIN
    assert [path.name for path in root.iterdir()] == ["MNIST"]


def test_download_replaces_damaged_files_and_leaves_sound_ones(
    tmp_path: Path, mnist_server: Path
) -> None:
    folder = write_idx(tmp_path / "MNIST" / "raw")
    (folder / IDX_NAMES[0]).write_bytes(b"damaged")
    download(MNIST, tmp_path)
    assert len(load(MNIST, tmp_path).train_y) == TRAIN
    shutil.rmtree(mnist_server)
    download(MNIST, tmp_path)  # nothing is left to fetch from: there must be nothing to fetch


def test_failed_download(tmp_path: Path, mnist_server: Path) -> None:
    (mnist_server / f"{IDX_NAMES[1]}.gz").write_bytes(b"another file")
    root = tmp_path / "root"
    with pytest.raises(DataError, match=r"mnist: the download failed with .*data import") as caught:
        download(MNIST, root)
    assert "\n" not in str(caught.value)
    assert list(root.iterdir()) == []


def test_download_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_svhn(tmp_path / "server", monkeypatch, "http://127.0.0.1:1")  # nobody listens there
    with pytest.raises(DataError, match=r"svhn: the download failed with .*refused.*data import"):
        download(SVHN, tmp_path / "root")


def test_svhn_download_fetches_both_parts(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    write_svhn(folder, monkeypatch, address)
    download(SVHN, tmp_path / "root")
    check_colours(SVHN, tmp_path / "root")


def test_data_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    with pytest.raises(DataError, match=r"root.*choose another data root"):
        download(MNIST, tmp_path / "root")


# import


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("given", ["", "FashionMNIST", "FashionMNIST/raw"])
def test_import_of_a_folder(tmp_path: Path, given: str, packed: bool) -> None:
    write_idx(tmp_path / "have" / "FashionMNIST" / "raw", packed=packed)
    import_from(FASHION_NO_PACKAGE, tmp_path / "have" / given, tmp_path / "root")
    assert len(load(FASHION_NO_PACKAGE, tmp_path / "root").train_y) == TRAIN
    assert len(load(FASHION_NO_PACKAGE, tmp_path / "have").train_y) == TRAIN
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["FashionMNIST"]


def test_import_of_one_of_the_files_takes_its_neighbours(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "have", packed=True)
    import_from(MNIST, folder / f"{IDX_NAMES[2]}.gz", tmp_path / "root")
    assert len(load(MNIST, tmp_path / "root").test_y) == TEST


@pytest.mark.parametrize("given", ["have", "have/cifar-10-python.tar.gz"])
def test_import_of_an_official_archive(
    tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar(CIFAR10, tmp_path / "cifar-10-batches-py", "labels", monkeypatch)
    (tmp_path / "have").mkdir()
    with tarfile.open(tmp_path / "have" / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "cifar-10-batches-py", "cifar-10-batches-py")
    import_from(CIFAR10, tmp_path / given, tmp_path / "root")
    check_colours(CIFAR10, tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["cifar-10-batches-py"]


def test_import_replaces_what_is_there(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (write_idx(root / "MNIST" / "raw") / IDX_NAMES[0]).write_bytes(b"damaged")
    import_from(MNIST, write_idx(tmp_path / "have", packed=True), root)
    assert len(load(MNIST, root).train_y) == TRAIN


def test_import_of_damaged_files_changes_nothing(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "have")
    (folder / IDX_NAMES[0]).write_bytes(idx_set()[IDX_NAMES[1]])
    root = write_idx(tmp_path / "root" / "MNIST" / "raw").parent.parent
    message = f"cannot import {folder}: mnist: MNIST/raw/{IDX_NAMES[0]}: wrong magic number"
    with pytest.raises(DataError, match=message):
        import_from(MNIST, folder, root)
    assert len(load(MNIST, root).train_y) == TRAIN
    assert [path.name for path in root.iterdir()] == ["MNIST"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cifar-10-python.tar.gz", b"no archive", "cannot import .*tar.gz: "),
        ("notes.txt", b"", "cannot import .*notes.txt: "),
    ],
)
def test_import_of_another_file(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        import_from(CIFAR10, tmp_path / name, tmp_path / "root")


def test_import_of_an_incomplete_folder(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "have")
    (folder / IDX_NAMES[3]).unlink()
    message = f"cannot import {folder}: no {IDX_NAMES[3]} in it; mnist needs {IDX_NAMES[0]}, "
    with pytest.raises(DataError, match=message):
        import_from(MNIST, folder, tmp_path / "root")


def test_import_of_damaged_gzip_names_the_users_file(tmp_path: Path) -> None:
    path = write_idx(tmp_path / "have", packed=True) / f"{IDX_NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=f"cannot import {path}: does not decompress"):
        import_from(MNIST, path.parent, tmp_path / "root")


def test_import_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file or folder"):
        import_from(MNIST, tmp_path / "have", tmp_path / "root")


# registration, real data


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
