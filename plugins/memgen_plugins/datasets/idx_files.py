"""IDX files, the format of MNIST, checked for damage and then read by torchvision.

torchvision's reader does not decompress gzip, and does not say how a file is damaged.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

_GZIP = b"\x1f\x8b"
_UBYTE = 0x08  # third byte of the magic number; the fourth is the number of dimensions


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8] | npt.NDArray[np.int64]:
    """Read a file of images or of labels, compressed or not.

    Args:
        path: The file.
        dimensions: 3 for images (N×H×W, bytes), 1 for labels (N, int64).

    Raises:
        ValueError: The file is damaged; the message says how.
        OSError: The file cannot be read.
    """
    from torchvision.datasets import mnist

    read = {3: mnist.read_image_file, 1: mnist.read_label_file}[dimensions]
    with uncompressed(path) as plain:
        _check(plain, dimensions)
        array: npt.NDArray[np.uint8] | npt.NDArray[np.int64] = read(str(plain)).numpy()
    return array


@contextmanager
def uncompressed(path: Path) -> Iterator[Path]:
    """Yield the path of an uncompressed file: the file itself, or a temporary copy.

    What it holds decides, and not its name: browsers unpack a `.gz` and keep the name.

    Raises:
        ValueError: The file does not decompress.
    """
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    if not packed:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        try:
            with gzip.open(path) as source, plain.open("wb") as target:
                shutil.copyfileobj(source, target)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"does not decompress: {error}") from error
        yield plain


def _check(path: Path, dimensions: int) -> None:
    """Check a file's magic number and its length."""
    size = 4 * (1 + dimensions)
    with path.open("rb") as file:
        header = file.read(size)
    length = path.stat().st_size
    magic, expected = header[:4].hex(), bytes([0, 0, _UBYTE, dimensions]).hex()
    if len(magic) == len(expected) and magic != expected:
        raise ValueError(f"wrong magic number 0x{magic}, expected 0x{expected}")
    if len(header) < size:
        raise ValueError(f"truncated: {length} bytes, less than its header has")
    wanted = size + int(np.frombuffer(header, dtype=">u4", offset=4).prod(dtype=np.uint64))
    if length != wanted:
        fault = "truncated" if length < wanted else "too long"
        raise ValueError(f"{fault}: {length} bytes, where its header says {wanted}")
    if length == size:
        raise ValueError("holds no entries")
