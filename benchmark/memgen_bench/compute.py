"""Where and on how many threads to compute."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg  # noqa: F401 - limits reach only libraries that are loaded
import sklearn.metrics  # noqa: F401 - likewise its OpenMP
import threadpoolctl
import torch

from memgen_bench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memgen_bench.specs import Images


def find_device(name: str) -> torch.device:
    """Return a device by name; `auto` is the first CUDA device, else the CPU.

    Raises:
        UsageError: The device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name}: not usable here ({reason}); try cpu") from None
    return device


def compute_exactly() -> None:
    """Make CUDA convolutions float32 and repeatable; the CPU's are already."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch and BLAS use this many threads: sums, and so results, depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpoolctl.threadpool_limits(limits=count):
            yield
    finally:
        torch.set_num_threads(before)


def tensor_of(images: Images, device: torch.device) -> torch.Tensor:
    """Return images as a tensor on a device, channels last in memory (the faster order)."""
    tensor = torch.from_numpy(np.ascontiguousarray(images)).to(device)
    return tensor.contiguous(memory_format=torch.channels_last)
