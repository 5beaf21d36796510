"""Image folders with one folder per class: `tiny-imagenet`, and any other as `folder/<path>`.

`folder/<path>@64` resizes and crops images to 64×64. The size is part of the name because it makes
another data set: results and caches tell the two apart by their names and contents.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

from memgen_bench import Data, DataError, DataNotFoundError, DatasetSpec, Family, hookimpl
from memgen_plugins.datasets import tiny_imagenet
from memgen_plugins.datasets.class_folders import ClassFolders, account, list_classes
from memgen_plugins.datasets.image_files import load_images, printable

_PREFIX = "folder/"
_SIZED = re.compile(r"(?P<path>.+)@(?P<size>[1-9][0-9]*)")


@dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """Where the images of a data set lie.

    Attributes:
        train: The folder of training images.
        test: The folder of test images.
        size: Height and width that images are resized and cropped to; None: as they are.
    """

    train: Path
    test: Path
    size: int | None


def find_folder(name: str, data_dir: Path) -> ImageFolder:
    """Find a data set's folders of training and test images.

    Args:
        name: `folder/` and a path, which is looked up in the data root and then in the current
            folder unless it is absolute (`folder//srv/pets`); `@64` at its end stands for a size,
            unless there is a folder that is called so.
        data_dir: The data root.

    Raises:
        DataNotFoundError: There are no such folders.
    """
    path = name.removeprefix(_PREFIX)
    meanings: list[tuple[str, int | None]] = [(path, None)]
    if sized := _SIZED.fullmatch(path):
        meanings.append((sized["path"], int(sized["size"])))
    for asked, size in meanings:
        home = Path(asked).expanduser()
        roots = list(dict.fromkeys((data_dir / home, Path.cwd() / home)))
        for root in roots:
            for test in (root / "test", root / "val"):
                if (root / "train").is_dir() and test.is_dir():
                    return ImageFolder(train=root / "train", test=test, size=size)
    places = " or ".join(map(printable, roots))
    mend = "put images in train/<class>/ and test/<class>/ there"
    if not sized and "@" in path:
        mend += "; a size after @ is a number of pixels, as @64"
    if any(root.name in ("train", "test", "val") and root.is_dir() for root in roots):
        mend = f"name the folder that holds them all, {Path(name).parent}"
    raise DataNotFoundError(
        f"{name}: there is no folder with train/ and test/ (or val/) at {places}; {mend}"
    )


def list_folder(name: str, folder: ImageFolder) -> tuple[ClassFolders, ClassFolders]:
    """List training and test images of an image folder.

    Raises:
        DataError: A class has no image, training and test images differ in their classes, or a
            link leads elsewhere.
    """
    train, test = list_classes(folder.train), list_classes(folder.test)
    for class_name in sorted(set(train.classes) ^ set(test.classes)):
        has, lacks = folder.train, folder.test
        if class_name not in train.classes:
            has, lacks = lacks, has
        raise DataError(
            f"{name}: class {class_name!r} is in {printable(has)} but not in {printable(lacks)}; "
            "both need the same class folders"
        )
    return train, test


def load_folder(name: str, data_dir: Path) -> Data:
    """Return the images of an image folder as RGB in [0, 1]."""
    folder = find_folder(name, data_dir)
    train, test = list_folder(name, folder)
    if len(train.classes) == 1:
        raise DataError(
            f"{name}: {printable(folder.train)} has only one class folder, "
            f"{train.classes[0]!r}; decoding needs two classes at least"
        )
    return load_images(train.samples, test.samples, folder.size)


def folder_files(name: str, data_dir: Path) -> tuple[Path, ...]:
    """Return the image files of an image folder; warns of what else is there."""
    parts = list_folder(name, find_folder(name, data_dir))
    if text := account(parts):
        warnings.warn(text, stacklevel=2)
    return tuple(Path(file) for part in parts for file, _ in part.samples)


def _resolve(name: str) -> DatasetSpec:
    path = name.removeprefix(_PREFIX)
    if not path:
        raise KeyError(name)
    name = _PREFIX + str(PurePath(path))  # one name for pets, pets/ and ./pets
    sized = _SIZED.fullmatch(path)
    return DatasetSpec(
        name=name,
        summary=_summary(**sized.groupdict()) if sized else _summary(path),
        citation="the user's own images",
        version=2,
        load=partial(load_folder, name),
        files=partial(folder_files, name),
    )


def _summary(path: str, size: str = "") -> str:
    resized = f", resized and cropped to {size}x{size}" if size else ""
    return f"images of {path}/train/<class>/ and {path}/test/<class>/{resized}"


@hookimpl
def register_datasets() -> list[DatasetSpec | Family[DatasetSpec]]:
    """Offer `tiny-imagenet` and the family `folder/`."""
    return [
        DatasetSpec(
            name=tiny_imagenet.NAME,
            summary="64x64 colour photographs, 200 classes, 100000 + 10000",
            citation="Le & Yang 2015, Tiny ImageNet Visual Recognition Challenge, Stanford CS231N",
            version=1,
            load=tiny_imagenet.load_tiny,
            files=tiny_imagenet.tiny_files,
            download=tiny_imagenet.download_tiny,
            import_from=tiny_imagenet.import_tiny,
        ),
        Family(
            prefix=_PREFIX,
            summary=(
                "your own images: folder/<path> with train/<class>/ and test/<class>/; "
                "folder/<path>@64 resizes and crops them to 64x64"
            ),
            resolve=_resolve,
        ),
    ]
