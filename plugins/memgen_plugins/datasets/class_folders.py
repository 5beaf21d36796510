"""Folders of class folders: which images there are, and what else lies there.

Nothing is decoded. What is hidden is passed over, as are files that are no images, and both are
remembered; a link that would make other images of a class than it seems to have is refused.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from memgen_bench import DataError
from memgen_plugins.datasets.image_files import Samples, printable, reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# What torchvision's ImageFolder takes for images.
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class LeftOut:
    """A file or a hidden folder that is not read, and why."""

    path: str
    why: str


@dataclass(frozen=True, kw_only=True)
class ClassFolders:
    """What lies in a folder of class folders.

    Attributes:
        classes: Names of the class folders, sorted.
        samples: Image files with the places of their classes, sorted by class, folder and name.
        left_out: Everything else.
    """

    classes: list[str]
    samples: Samples
    left_out: list[LeftOut]


def list_classes(folder: Path) -> ClassFolders:
    """List a folder of class folders; links are followed as long as they stay in their class.

    Raises:
        DataError: There is no class, a class has no image, or a link leads elsewhere.
    """
    try:
        return _list_classes(folder)
    except OSError as error:
        raise DataError(f"{printable(folder)}: {reason(error)}; make it readable") from error


def _list_classes(folder: Path) -> ClassFolders:
    homes, left_out = _class_folders(folder)
    _check_apart(homes)
    samples = []
    for number, home in enumerate(homes):
        images = []
        for path, why in _files(home, (_real(home),)):
            if why:
                left_out.append(LeftOut(path, why))
            else:
                images.append(path)
        if not images:
            raise DataError(
                f"{printable(home)}: no image in this class folder; put some there (their names "
                f"end in {', '.join(SUFFIXES)}), or remove it"
            )
        samples += [(path, number) for path in sorted(images, key=os.path.split)]
    return ClassFolders(classes=[home.name for home in homes], samples=samples, left_out=left_out)


def _class_folders(folder: Path) -> tuple[list[Path], list[LeftOut]]:
    """Return the visible folders of a folder, sorted, and what else is there."""
    homes, left_out = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                left_out.append(LeftOut(entry.path, "hidden"))
                continue
            _check_target(entry)
            if entry.is_dir():
                homes.append(Path(entry.path))
            else:
                left_out.append(LeftOut(entry.path, "in no class folder"))
    if not homes:
        raise DataError(
            f"{printable(folder)}: there is no class folder; put images in <class>/ there"
        )
    return sorted(homes), left_out


def _check_apart(homes: Iterable[Path]) -> None:
    """Refuse class folders that are, through links, one within the other."""
    real = sorted((_real(home), home) for home in homes)
    for (outer, one), (inner, other) in pairwise(real):
        if inner.is_relative_to(outer):
            link, seen = (one, other) if one.is_symlink() else (other, one)
            raise DataError(
                f"{printable(link)}: a link by which images of {printable(seen)} would be of both "
                "classes; remove it"
            )


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))


def _files(folder: str | Path, above: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    """Yield all files below a folder, with a reason where they are no images.

    Args:
        folder: The folder.
        above: The real paths of the class folder, of the folders on the way, and of this one.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                yield entry.path, "hidden"
                continue
            if entry.is_symlink():
                _check_link(entry, above)
            if entry.is_dir():
                yield from _files(entry.path, (*above, _real(entry.path)))
            else:
                yield entry.path, _why_no_image(entry)


def _why_no_image(entry: os.DirEntry[str]) -> str:
    if not entry.is_file():
        return "no plain file"
    _, dot, suffix = entry.name.lower().rpartition(".")
    if not dot:
        return "without a suffix"
    return "" if f".{suffix}" in SUFFIXES else f".{suffix}"


def _check_link(entry: os.DirEntry[str], above: Sequence[Path]) -> None:
    """Refuse a link that leads nowhere, out of its class folder, or back to where it is from."""
    _check_target(entry)
    target = _real(entry.path)
    if target in above or above[0].is_relative_to(target):
        raise _refused(entry, f"leads back to {printable(target)}, round and round; remove it")
    if not target.is_relative_to(above[0]):
        raise _refused(
            entry, f"leads out of its class folder to {printable(target)}; copy what is there"
        )


def _check_target(entry: os.DirEntry[str]) -> None:
    if not Path(entry.path).exists():
        raise _refused(entry, "leads nowhere; remove it")


def _refused(entry: os.DirEntry[str], why: str) -> DataError:
    return DataError(f"{printable(entry.path)}: a link that {why}")


def account(parts: Sequence[ClassFolders]) -> str:
    """Say how many images are read and what is left out; nothing where nothing is."""
    left_out = sorted((item for part in parts for item in part.left_out), key=lambda it: it.path)
    paths: dict[str, list[str]] = {}
    for item in left_out:
        paths.setdefault(item.why, []).append(item.path)
    if not paths:
        return ""
    reasons = [
        f"{len(those)} {why} (as {printable(those[0])})"
        for why, those in sorted(paths.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    ]
    read = " + ".join(str(len(part.samples)) for part in parts)
    return f"{read} images are read; left out: {', '.join(reasons)}"
