"""Download of torchvision's data sets, and import of the user's own copies.

New files are collected and read in a staging folder below the data root. They are moved into
place only if they can be read.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from memgen_bench import DataError, UsageError
from memgen_plugins.datasets.idx_files import uncompressed
from memgen_plugins.datasets.torchvision_files import Source, all_found, load, reason, variant

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNPACK_ERRORS = (OSError, EOFError, RuntimeError, zlib.error, tarfile.TarError, zipfile.BadZipFile)


def download(source: Source, data_dir: Path) -> None:
    """Download a data set with torchvision, unless the data root has a readable copy.

    Raises:
        DataError: The download failed.
    """
    if _is_there(source, data_dir):
        return
    with _staging(data_dir) as stage:
        try:
            source.open(stage, download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"{source.name}: the download failed with {reason(error)}; try again later, "
                "or fetch the files yourself and run `memgen-bench data import`"
            ) from error
        _install(source, stage, data_dir)


def _is_there(source: Source, data_dir: Path) -> bool:
    if not all(variant(source, data_dir / file) for file in source.files):
        return False
    try:
        load(source, data_dir)
    except DataError:
        return False
    return True


def import_from(source: Source, given: Path, data_dir: Path) -> None:
    """Copy the files of the official archive, or of a folder, into the data root.

    Args:
        source: The data set.
        given: An archive, a folder that holds the files (or the archive), or one of the files.
        data_dir: The data root.

    Raises:
        UsageError: There is no such file or folder.
        DataError: Files are missing or damaged; the data root is as it was.
    """
    if not given.exists():
        raise UsageError(f"{given}: there is no such file or folder; name what is to be imported")
    with _staging(data_dir) as stage:
        for file, path in zip(source.files, _given_files(source, given, stage), strict=True):
            target = stage / file
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with uncompressed(path) as plain:
                    shutil.copyfile(plain, target)
            except (ValueError, OSError) as error:
                raise DataError(f"cannot import {path}: {reason(error)}") from error
        try:
            _install(source, stage, data_dir)
        except DataError as error:  # the staging folder is about to be deleted: do not name it
            message = str(error).replace(f"{stage}/", "")
            raise DataError(f"cannot import {given}: {message}") from error


def _given_files(source: Source, given: Path, stage: Path) -> tuple[Path, ...]:
    """Find a data set's files in a given file or folder; archives are unpacked below `stage`."""
    folder = given
    if given.is_file():
        is_one = any(variant(source, given.with_name(Path(f).name)) == given for f in source.files)
        folder = given.parent if is_one else _unpack(given, stage / "unpacked")
    found = [_below(source, folder, Path(file)) for file in source.files]
    archive = folder / source.archive
    if not all(found) and archive.is_file():
        folder = _unpack(archive, stage / "unpacked")
        found = [_below(source, folder, Path(file)) for file in source.files]
    if paths := all_found(found):
        return paths
    missing = source.files[found.index(None)]
    archived = f" or the archive {source.archive}" if source.archive else ""
    raise DataError(
        f"cannot import {given}: no {Path(missing).name} in it; {source.name} needs "
        f"{', '.join(Path(file).name for file in source.files)}{archived}"
    )


def _below(source: Source, folder: Path, file: Path) -> Path | None:
    """Look for a/b/c as a/b/c, b/c and c below a folder."""
    tails = (Path(*file.parts[start:]) for start in range(len(file.parts)))
    return next((path for tail in tails if (path := variant(source, folder / tail))), None)


def _unpack(archive: Path, folder: Path) -> Path:
    from torchvision.datasets.utils import extract_archive

    try:
        folder.mkdir()
        extract_archive(str(archive), str(folder))
    except _UNPACK_ERRORS as error:
        raise DataError(f"cannot import {archive}: {reason(error)}") from error
    return folder


@contextmanager
def _staging(data_dir: Path) -> Iterator[Path]:
    """Yield a temporary folder on the data root's file system."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        stage = tempfile.TemporaryDirectory(dir=data_dir, prefix=".memgen-")
    except OSError as error:
        raise DataError(f"{data_dir}: {reason(error)}; choose another data root") from error
    with stage as folder:
        yield Path(folder)


def _install(source: Source, stage: Path, data_dir: Path) -> None:
    """Check that the files can be read, then move each into place by one rename."""
    load(source, stage)
    for file in source.files:
        target = data_dir / file
        target.parent.mkdir(parents=True, exist_ok=True)
        (stage / file).replace(target)
