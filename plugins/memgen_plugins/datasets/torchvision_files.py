"""The files of torchvision's data sets: their places on disk, and how they are read.

The files lie below the data root where torchvision's own classes expect them. So a folder that
other projects use already can be the data root, unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench import Data, DataError, DataNotFoundError
from memgen_plugins.datasets.idx_files import read_idx

if TYPE_CHECKING:
    from memgen_bench.arrays import Images, LabelVector

# In the order in which they are read.
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_IDX_CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class Source:
    """The files of a torchvision data set, and the places where they may lie.

    Attributes:
        name: The data set's registered name.
        torchvision: The class of `torchvision.datasets` that downloads it.
        files: Paths of the files below a data root; IDX files may have another of `idx_variants`.
        archive: The official archive that holds them all, if there is one.
        system: A folder outside the data root where a package of the system puts the files.
        package: That package's name.
    """

    name: str
    torchvision: str
    files: tuple[str, ...]
    archive: str = ""
    system: Path | None = None
    package: str = ""

    @property
    def is_idx(self) -> bool:
        """Whether the files are IDX files; torchvision knows the checksums of all others."""
        return Path(self.files[0]).name == IDX_NAMES[0]

    def official(self) -> Any:
        """Return torchvision's class."""
        from torchvision import datasets

        return getattr(datasets, self.torchvision)

    def open(self, root: Path, **options: Any) -> tuple[Any, Any]:
        """Return torchvision's training and test set."""
        if self.torchvision == "SVHN":
            splits: tuple[dict[str, Any], ...] = ({"split": "train"}, {"split": "test"})
        else:
            splits = ({"train": True}, {"train": False})
        train, test = (self.official()(root, **split, **options) for split in splits)
        return train, test

    def checksums(self) -> dict[str, str]:
        """Return torchvision's MD5 checksums by file name."""
        official = self.official()
        if self.torchvision == "SVHN":
            return dict(official.split_list[split][1:] for split in ("train", "test"))
        meta = (official.meta["filename"], official.meta["md5"])
        return dict([*official.train_list, *official.test_list, meta])

    def damaged(self, path: Path, fault: object) -> DataError:
        """Return the error that names a damaged file and says how to replace it."""
        mend = f"get a sound one with `memgen-bench data download {self.name}`"
        if path.parent == self.system:
            mend = f"install the Debian package {self.package} again"
        return DataError(f"{self.name}: {path}: {fault}; {mend}")


def find_files(source: Source, data_dir: Path) -> tuple[Path, ...]:
    """Return the files to read: those in the data root if they are all there.

    Raises:
        DataNotFoundError: They are neither there nor where a system package puts them.
    """
    found = [variant(source, data_dir / file) for file in source.files]
    missing = [file for file, path in zip(source.files, found, strict=True) if path is None]
    if missing and source.system:
        found = [variant(source, source.system / Path(file).name) for file in source.files]
    if paths := all_found(found):
        return paths
    package = f", or install the Debian package {source.package}" if source.package else ""
    raise DataNotFoundError(
        f"{source.name} is not in {data_dir} ({missing[0]} is missing); run `memgen-bench data "
        f"download {source.name}`, or `memgen-bench data import` if you have it{package}"
    )


def variant(source: Source, path: Path) -> Path | None:
    """Return the file's path (of an IDX file under any usual name), or None if it is missing."""
    names = idx_variants(path.name) if source.is_idx else (path.name,)
    return next((found for name in names if (found := path.with_name(name)).is_file()), None)


def idx_variants(name: str) -> tuple[str, ...]:
    """Return the usual names of an IDX file: with a dash or dot before `idx`, packed or not."""
    dotted = name.replace("-idx", ".idx")
    return name, f"{name}.gz", dotted, f"{dotted}.gz"


def all_found(found: list[Path | None]) -> tuple[Path, ...]:
    """Return all paths, or an empty tuple if one is missing."""
    paths = tuple(path for path in found if path is not None)
    return paths if len(paths) == len(found) else ()


def load(source: Source, data_dir: Path) -> Data:
    """Read a data set and scale its pixels to [-1, 1].

    Raises:
        DataNotFoundError: It is not on disk.
        DataError: A file is damaged; the message names it.
    """
    paths = find_files(source, data_dir)
    read = _load_idx(source, paths) if source.is_idx else _load_checked(source, data_dir)
    (train_x, train_y), (test_x, test_y) = read
    return Data(
        train_x=normalize(train_x),
        train_y=np.asarray(train_y, dtype=np.int64),
        test_x=normalize(test_x),
        test_y=np.asarray(test_y, dtype=np.int64),
    )


def normalize(pixels: Any) -> Images:
    """Return bytes as float32 in [-1, 1], contiguous: (x / 255 - 0.5) / 0.5."""
    images: Images = np.array(pixels, dtype=np.float32, order="C")
    images /= 255
    images -= 0.5
    images /= 0.5
    return images


def _load_idx(source: Source, paths: tuple[Path, ...]) -> list[tuple[Any, LabelVector]]:
    parts = []
    for images_path, labels_path in (paths[:2], paths[2:]):
        images = _read_idx(source, images_path, dimensions=3)
        labels = _read_idx(source, labels_path, dimensions=1)
        if len(images) != len(labels):
            fault = f"{len(labels)} labels, but {images_path.name} holds {len(images)} images"
            raise source.damaged(labels_path, fault)
        if labels.max() >= _IDX_CLASSES:
            raise source.damaged(labels_path, f"label {labels.max()}, where 0 to 9 can be")
        parts.append((images[:, None], labels))
    return parts


def _read_idx(source: Source, path: Path, dimensions: int) -> Any:
    try:
        return read_idx(path, dimensions)
    except (ValueError, OSError) as error:
        raise source.damaged(path, reason(error)) from error


def _load_checked(source: Source, data_dir: Path) -> list[tuple[Any, Any]]:
    """Read a data set with torchvision, which compares checksums first."""
    from torchvision.datasets.utils import check_integrity

    try:
        return [_arrays(part) for part in source.open(data_dir)]
    except (RuntimeError, OSError) as error:
        md5 = source.checksums()
        for path in (data_dir / file for file in source.files):
            if not check_integrity(path, md5[path.name]):
                fault = "not the official file (its MD5 checksum differs)"
                raise source.damaged(path, fault) from error
        raise source.damaged(data_dir, reason(error)) from error


def _arrays(part: Any) -> tuple[Any, Any]:
    """Return N×C×H×W pixels and labels of torchvision's SVHN or, kept as N×H×W×C, CIFAR."""
    if hasattr(part, "labels"):
        return part.data, part.labels
    return part.data.transpose(0, 3, 1, 2), part.targets


def reason(error: BaseException) -> str:
    """Return an exception's message in one line."""
    return " ".join(str(error).split()) or type(error).__name__
