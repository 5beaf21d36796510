"""Storage of large arrays: in memory within a budget, in memory-mapped files beyond it."""

from __future__ import annotations

import math
import os
import tempfile
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

# The budget where none is given.
DEFAULT_BUDGET = 256 << 20
# Arrays below this size always stay in memory: a file would cost more than it saves.
_SMALL = 1 << 20


class Scratch:
    """Makes arrays, in memory or, beyond a budget, in memory-mapped files.

    The files are unlinked as soon as they are made, so that they vanish with their arrays, also
    when the process is killed. They lie in the folder for temporary files (`TMPDIR`). The place of
    an array changes no result.

    Args:
        budget: Bytes of memory for arrays.
    """

    def __init__(self, budget: int = DEFAULT_BUDGET) -> None:
        self._left = budget

    def empty(self, shape: tuple[int, ...], dtype: Any = np.float32) -> npt.NDArray[Any]:
        """Return an uninitialised array; its space is free again when it is deleted.

        Raises:
            OSError: There is neither memory nor disk space for it.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if self._fits(size):
            return self._count(np.empty(shape, dtype))
        with tempfile.TemporaryFile(prefix="memgen-") as file:
            _reserve(file, size)
            return np.memmap(file, dtype=dtype, mode="r+", shape=shape)

    def hold(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an array to keep: the array itself, or a copy in a file."""
        if self._fits(array.nbytes):
            return self._count(array)
        copy = self.empty(array.shape, array.dtype)
        copy[...] = array
        return copy

    def _fits(self, size: int) -> bool:
        return size <= max(self._left, _SMALL)

    def _count(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._left -= array.nbytes
        weakref.finalize(array, self._give_back, array.nbytes)
        return array

    def _give_back(self, size: int) -> None:
        self._left += size


def _reserve(file: Any, size: int) -> None:
    """Allocate disk space now, since a full disk would be a bus error later."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise OSError(
                error.errno,
                f"no room for {size / 2**30:.1f} GiB of activations in {tempfile.gettempdir()} "
                f"({error.strerror}); set TMPDIR to a larger disk or raise --memory",
            ) from None
    else:
        file.truncate(size)
