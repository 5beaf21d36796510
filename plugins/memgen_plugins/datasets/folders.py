"""Image folders with one folder per class: `tiny-imagenet`, and any other as `folder/<path>`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from memgen_bench import Data, DataError, DataNotFoundError, DatasetSpec, Family, hookimpl
from memgen_plugins.datasets import tiny_imagenet
from memgen_plugins.datasets.image_files import Samples, image_folder, load_images

_PREFIX = "folder/"


def find_folder(name: str, data_dir: Path) -> tuple[Path, Path]:
    """Return a data set's folders of training and test images.

    Args:
        name: `folder/` and a path, which is looked up in the data root and then in the current
            folder unless it is absolute (`folder//srv/pets`).
        data_dir: The data root.

    Raises:
        DataNotFoundError: There are no such folders.
    """
    path = Path(name.removeprefix(_PREFIX))
    roots = list(dict.fromkeys((data_dir / path, Path.cwd() / path)))
    for root in roots:
        for test in (root / "test", root / "val"):
            if (root / "train").is_dir() and test.is_dir():
                return root / "train", test
    places = " or ".join(map(str, roots))
    raise DataNotFoundError(
        f"{name}: there is no folder with train/ and test/ (or val/) at {places}; "
        "put images in train/<class>/ and test/<class>/ there"
    )


def folder_samples(name: str, data_dir: Path) -> tuple[Samples, Samples]:
    """List training and test images of an image folder.

    Raises:
        DataNotFoundError: There is no such folder.
        DataError: A class has no image, or training and test images differ in their classes.
    """
    train_folder, test_folder = find_folder(name, data_dir)
    train, test = image_folder(train_folder), image_folder(test_folder)
    for class_name in sorted(set(train.classes) ^ set(test.classes)):
        has, lacks = train_folder, test_folder
        if class_name not in train.classes:
            has, lacks = lacks, has
        raise DataError(
            f"{name}: class {class_name!r} is in {has} but not in {lacks}; "
            "both need the same class folders"
        )
    return train.samples, test.samples


def load_folder(name: str, data_dir: Path) -> Data:
    """Return the images of an image folder as RGB in [0, 1]."""
    return load_images(*folder_samples(name, data_dir))


def folder_files(name: str, data_dir: Path) -> tuple[Path, ...]:
    """Return the image files of an image folder."""
    train, test = folder_samples(name, data_dir)
    return tuple(Path(file) for file, _ in (*train, *test))


def _resolve(name: str) -> DatasetSpec:
    path = name.removeprefix(_PREFIX)
    if not path:
        raise KeyError(name)
    return DatasetSpec(
        name=name,
        summary=f"images of {path}/train/<class>/ and {path}/test/<class>/",
        citation="the user's own images",
        version=1,
        load=partial(load_folder, name),
        files=partial(folder_files, name),
    )


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
            summary="your own images: folder/<path> with train/<class>/ and test/<class>/",
            resolve=_resolve,
        ),
    ]
