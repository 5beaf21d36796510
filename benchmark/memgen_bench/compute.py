"""The device and threads of computations, and matrices in blocks."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import warnings
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg  # noqa: F401 - limits reach only libraries that are loaded
import sklearn.metrics  # noqa: F401 - likewise its OpenMP
import threadpoolctl
import torch

from memgen_bench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from memgen_bench.arrays import Images


def find_device(name: str) -> torch.device:
    """Return a device by name; `auto` is the first CUDA device, else the CPU.

    Raises:
        UsageError: The device cannot be used here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.partition(":")[0] not in ("cpu", "cuda"):
        raise UsageError(
            f"--device {name}: take auto, cpu, cuda or cuda:1; others lack float64 or kernels"
        )
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason, _, _ = str(error).splitlines()[0].partition(". ")
        raise UsageError(f"--device {name}: not usable here ({reason:.200}); try cpu") from None
    return device


def compute_exactly() -> None:
    """Make CUDA convolutions exact in float32 and deterministic, as the CPU's are."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def keep_freed_memory() -> None:
    """Let the C library keep freed memory: new pages take a tenth of a training step's time."""
    trim_threshold, mmap_threshold = -1, -3  # of glibc's mallopt
    with contextlib.suppress(AttributeError, OSError):  # other C libraries have no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_threshold, 32 << 20)  # the largest that it takes
        mallopt(trim_threshold, 1 << 30)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch and BLAS use this many threads; rounding of results depends on the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with _pools(len(sys.modules)).limit(limits=count):
            yield
    finally:
        torch.set_num_threads(before)


def best_by_scipy(tensor: torch.Tensor) -> bool:
    """Tell whether SciPy's BLAS and LAPACK are the quickest: on the CPU, on one thread.

    Beyond one, SciPy's threads and torch's are two pools, and those of the one that has just worked
    spin for a while on the cores that the other wants: both together take three times as long.
    """
    return tensor.is_cpu and torch.get_num_threads() == 1


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Let this thread take numbers next to 0 (denormals) for 0: CPUs are far slower with them.

    Those of a network that memorized long ago, as running means of its gradients, grow so small.
    """
    before = sys.float_info.min / 2 == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@lru_cache(maxsize=1)
def _pools(_: int) -> threadpoolctl.ThreadpoolController:
    """Return the libraries with threads, with this number of modules imported.

    Finding them reads all that is mapped into memory, which costs more than to decode a layer.
    """
    return threadpoolctl.ThreadpoolController()


def finish(device: torch.device) -> None:
    """Wait until a device has finished its work, so that timings are right."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def as_tensor(array: npt.NDArray[Any] | torch.Tensor) -> torch.Tensor:
    """Return an array as a tensor that shares its memory; a tensor as it is."""
    if isinstance(array, torch.Tensor):
        return array
    if array.flags.writeable:
        return torch.from_numpy(np.ascontiguousarray(array))
    with warnings.catch_warnings():  # torch warns of read-only arrays
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(array))


def place_in_memory(matrix: torch.Tensor) -> tuple[Any, ...]:
    """Return a matrix's place in memory, which no other matrix has as long as it lives."""
    return matrix.data_ptr(), matrix.shape, matrix.stride(), matrix.dtype


def blocks(matrix: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield a matrix in blocks of rows, whose number depends on its width alone."""
    yield from torch.split(matrix, block_rows(matrix.shape[1]))


def block_rows(width: int) -> int:
    """Return the number of float32 rows of a width in a block: about 64 MiB, 256 to 8192 rows."""
    return max(256, min(8192, (64 << 20) // (4 * max(width, 1))))


def is_finite(matrix: npt.NDArray[Any] | torch.Tensor) -> bool:
    """Whether a matrix has no NaN and no infinity, without a mask as large as the matrix."""
    return all(bool(torch.isfinite(block.sum())) for block in blocks(as_tensor(matrix)))


def tensor_of(images: Images, device: torch.device) -> torch.Tensor:
    """Return images as a tensor on a device, with channels last in memory, which is faster."""
    tensor = torch.from_numpy(np.ascontiguousarray(images)).to(device)
    return tensor.contiguous(memory_format=torch.channels_last)
