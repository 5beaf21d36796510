"""Downloads and imports: all of the files or nothing."""

from __future__ import annotations

import shutil
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from torchvision import datasets

from helpers.image_sets import (
    FASHION_NO_PACKAGE,
    TEST,
    TRAIN,
    check_colours,
    idx_set,
    md5,
    write_cifar,
    write_idx,
    write_svhn,
)
from memgen_bench import DataError, UsageError
from memgen_plugins.datasets.torchvision_datasets import (
    CIFAR10,
    MNIST,
    SVHN,
)
from memgen_plugins.datasets.torchvision_files import IDX_NAMES, load
from memgen_plugins.datasets.torchvision_import import download, import_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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


def test_download_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_svhn(tmp_path / "server", monkeypatch, "http://127.0.0.1:1")  # nobody listens there
    with pytest.raises(DataError, match=r"svhn: the download failed with .*refused.*data import"):
        download(SVHN, tmp_path / "root")


def test_failed_download(tmp_path: Path, mnist_server: Path) -> None:
    (mnist_server / f"{IDX_NAMES[1]}.gz").write_bytes(b"another file")
    root = tmp_path / "root"
    with pytest.raises(DataError, match=r"mnist: the download failed with .*data import") as caught:
        download(MNIST, root)
    assert "\n" not in str(caught.value)
    assert list(root.iterdir()) == []


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
