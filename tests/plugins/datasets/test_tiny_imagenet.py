"""Tiny ImageNet: read, downloaded and imported as the official archive has it."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from helpers.image_sets import write_image
from memgen_bench import DataError, DataNotFoundError, DatasetSpec, UsageError
from memgen_plugins.datasets import folders, tiny_imagenet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def tiny_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive like the official one, with one training image a class and three test images."""
    archive = tmp_path_factory.mktemp("tiny") / "tiny-imagenet-200.zip"
    top = archive.parent / "tiny-imagenet-200"
    for k in range(200):
        write_image(top / "train" / f"n{k:08}" / "images" / f"n{k:08}_0.JPEG", (64, 64, 3))
        (top / "train" / f"n{k:08}" / f"n{k:08}_boxes.txt").write_text("n_0.JPEG\t0\t0\t9\t9\n")
    lines = [f"val_{i}.JPEG\tn{k:08}\t0\t32\t44\t62\n" for i, k in enumerate((7, 199, 0))]
    for i in range(3):
        write_image(top / "val" / "images" / f"val_{i}.JPEG", (64, 64, 3))
    (top / "val" / "val_annotations.txt").write_text("".join(lines))
    write_image(top / "test" / "images" / "test_0.JPEG", (64, 64, 3))
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(top.rglob("*")):
            target.write(path, path.relative_to(archive.parent))
    return archive


@pytest.fixture
def tiny_root(tiny_zip: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(tiny_zip) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def tiny() -> DatasetSpec:
    (spec,) = (s for s in folders.register_datasets() if isinstance(s, DatasetSpec))
    return spec


def test_tiny_takes_the_classes_of_test_images_from_the_annotations(tiny_root: Path) -> None:
    data = tiny().load(tiny_root)
    assert data.train_x.shape == (200, 3, 64, 64)
    assert data.train_y.tolist() == list(range(200))
    assert data.test_y.tolist() == [7, 199, 0]
    assert 0 <= data.train_x.min() < data.train_x.max() <= 1
    with Image.open(tiny_root / "tiny-imagenet-200" / "val" / "images" / "val_1.JPEG") as image:
        expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1) / 255
    assert np.allclose(data.test_x[1], expected, atol=1e-7)


def test_tiny_files(tiny_root: Path) -> None:
    files = tiny().files(tiny_root)
    assert len(files) == 200 + 3 + 1
    assert files[-1].name == "val_annotations.txt"
    assert all(path.is_file() for path in files)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val_1.JPEG\tn99999999\t0\t0\t9\t9\n", "line 2 names no class of train/: 'val_1.JPEG"),
        ("val_1.JP", "line 2 names no class of train/: 'val_1.JP'"),
        ("val_9.JPEG\tn00000001\t0\t0\t9\t9\n", "line 2 names 'val_9.JPEG', but there is no"),
    ],
)
def test_tiny_damaged_annotations(tiny_root: Path, line: str, message: str) -> None:
    file = tiny_root / "tiny-imagenet-200" / "val" / "val_annotations.txt"
    file.write_text(file.read_text().splitlines()[0] + "\n" + line)
    with pytest.raises(DataError, match=f"val_annotations.txt: {message}"):
        tiny().load(tiny_root)


def test_tiny_empty_annotations(tiny_root: Path) -> None:
    (tiny_root / "tiny-imagenet-200" / "val" / "val_annotations.txt").write_text("")
    with pytest.raises(DataError, match=r"val_annotations\.txt: empty"):
        tiny().files(tiny_root)


def test_tiny_incomplete(tiny_root: Path) -> None:
    train = tiny_root / "tiny-imagenet-200" / "train"
    (train / "n00000199").rename(tiny_root / "moved")
    with pytest.raises(
        DataError, match=r"199 classes, not 200; remove .*tiny-imagenet-200 and run"
    ):
        tiny().files(tiny_root)


def test_tiny_missing(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="run `memgen-bench data download tiny-imagenet`"):
        tiny().files(tmp_path)


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


def test_tiny_download(
    tiny_zip: Path, tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    shutil.copy(tiny_zip, folder)
    root = tmp_path / "root"
    md5 = hashlib.md5(tiny_zip.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(tiny_imagenet, "_URL", f"{address}/{tiny_zip.name}")
    monkeypatch.setattr(tiny_imagenet, "_MD5", md5)
    tiny_imagenet.download_tiny(root)
    assert [path.name for path in root.iterdir()] == ["tiny-imagenet-200"]
    (folder / tiny_zip.name).write_bytes(b"another file")
    tiny_imagenet.download_tiny(root)  # it is there, so that nothing is fetched
    with pytest.raises(DataError, match=r"tiny-imagenet: .*corrupted.*; nothing was changed"):
        tiny_imagenet.download_tiny(tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.parametrize("given", ["tiny-imagenet-200.zip", "tiny-imagenet-200", "."])
def test_tiny_import(tiny_zip: Path, tmp_path: Path, given: str) -> None:
    if given == ".":
        (tmp_path / "have").mkdir()
        with zipfile.ZipFile(tiny_zip) as archive:
            archive.extractall(tmp_path / "have")
        source = tmp_path / "have"
    else:
        source = tiny_zip.parent / given
    root = tmp_path / "root"
    tiny_imagenet.import_tiny(source, root)
    assert [path.name for path in root.iterdir()] == ["tiny-imagenet-200"]
    assert len(tiny().files(root)) == 204
    with pytest.raises(UsageError, match="already there; remove it"):
        tiny_imagenet.import_tiny(source, root)


def test_tiny_import_of_nothing_and_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file or folder"):
        tiny_imagenet.import_tiny(tmp_path / "have.zip", tmp_path / "root")
    (tmp_path / "have.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"tiny-imagenet: .*zip"):
        tiny_imagenet.import_tiny(tmp_path / "have.zip", tmp_path / "root")
    (tmp_path / "have").mkdir()
    with pytest.raises(DataError, match="in what was given"):
        tiny_imagenet.import_tiny(tmp_path / "have", tmp_path / "root")
    assert list((tmp_path / "root").iterdir()) == []


def test_it_is_registered() -> None:
    assert tiny().name == "tiny-imagenet"
    assert tiny().summary
    assert tiny().citation
