"""Tiny ImageNet in its official layout: class folders for training, a list of test images."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from memgen_bench import Data, DataError, DataNotFoundError, UsageError
from memgen_plugins.datasets.class_folders import list_classes
from memgen_plugins.datasets.image_files import Samples, load_images, reason

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "tiny-imagenet"
_FOLDER = "tiny-imagenet-200"
_CLASSES = 200
_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"


def load_tiny(data_dir: Path) -> Data:
    """Return 64×64 RGB images in [0, 1]."""
    return load_images(*tiny_samples(data_dir))


def tiny_files(data_dir: Path) -> tuple[Path, ...]:
    """Return the image files and the list of the test images' classes."""
    train, test = tiny_samples(data_dir)
    images = (Path(file) for file, _ in (*train, *test))
    return (*images, _annotations(data_dir))


def tiny_samples(data_dir: Path) -> tuple[Samples, Samples]:
    """List the images of Tiny ImageNet; its official `val` subset is the test set.

    Raises:
        DataNotFoundError: It is not in the data root.
        DataError: It is incomplete, or its annotations are damaged.
    """
    folder = data_dir / _FOLDER
    annotations = _annotations(data_dir)
    if not (folder / "train").is_dir() or not annotations.is_file():
        raise DataNotFoundError(
            f"{NAME}: no {_FOLDER}/train and {_FOLDER}/val/{annotations.name} in "
            f"{data_dir}; run `memgen-bench data download {NAME}`, or `memgen-bench data import` "
            "if you have the archive"
        )
    train = list_classes(folder / "train")
    if len(train.classes) != _CLASSES:
        raise DataError(
            f"{NAME}: {folder / 'train'}: {len(train.classes)} classes, not {_CLASSES}; "
            f"remove {folder} and run `memgen-bench data download {NAME}`"
        )
    return train.samples, _annotated(annotations, train.classes)


def _annotations(data_dir: Path) -> Path:
    return data_dir / _FOLDER / "val" / "val_annotations.txt"


def _annotated(file: Path, classes: list[str]) -> Samples:
    """List images and classes from lines of image, class and box; images lie beside the file."""
    places = {name: place for place, name in enumerate(classes)}
    samples = []
    for number, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), start=1):
        image, class_name, *_ = [*line.split("\t"), ""]
        path = file.parent / "images" / image
        if class_name not in places:
            raise DataError(f"{file}: line {number} names no class of train/: {line[:60]!r}")
        if not path.is_file():
            raise DataError(f"{file}: line {number} names {image!r}, but there is no {path}")
        samples.append((str(path), places[class_name]))
    if not samples:
        raise DataError(f"{file}: empty; get {NAME} again")
    return samples


def download_tiny(data_dir: Path) -> None:
    """Download Tiny ImageNet (237 MB) with torchvision, unless the data root has it.

    Raises:
        DataError: The download failed.
    """
    from torchvision.datasets.utils import download_and_extract_archive

    def fetch(stage: Path) -> None:
        download_and_extract_archive(_URL, str(stage), md5=_MD5)

    if not (data_dir / _FOLDER).exists():
        _install(fetch, data_dir)
    tiny_samples(data_dir)


def import_tiny(given: Path, data_dir: Path) -> None:
    """Copy the official zip archive, or a folder unpacked from it, into the data root.

    Raises:
        UsageError: There is no such file, or the data root has the data set already.
        DataError: The files are damaged; the data root is as it was.
    """
    from torchvision.datasets.utils import extract_archive

    def fetch(stage: Path) -> None:
        if given.is_file():
            extract_archive(str(given), str(stage))
            return
        inner = given / _FOLDER
        shutil.copytree(inner if inner.is_dir() else given, stage / _FOLDER)

    if not given.exists():
        raise UsageError(f"{given}: there is no such file or folder; name what is to be imported")
    if (data_dir / _FOLDER).exists():
        raise UsageError(f"{data_dir / _FOLDER} is already there; remove it to import anew")
    _install(fetch, data_dir)


def _install(fetch: Callable[[Path], None], data_dir: Path) -> None:
    """Fetch into a staging folder, list its images, and move it into place by one rename."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".memgen-") as stage:
            fetch(Path(stage))
            try:
                tiny_samples(Path(stage))
            except DataError as error:  # the staging folder is about to be deleted: do not name it
                message = str(error).replace(f"{stage}/", "").replace(stage, "what was given")
                raise DataError(message) from error
            (Path(stage) / _FOLDER).rename(data_dir / _FOLDER)
    except (OSError, RuntimeError, EOFError, shutil.Error, zipfile.BadZipFile) as error:
        raise DataError(f"{NAME}: {reason(error)}; nothing was changed, try again") from error
