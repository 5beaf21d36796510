"""Times of the decoders of one revision, and their counted costs; run by its path, in a child.

It reads requests as lines of JSON, `{"decoder": …, "points": FILE.npz, "count": false}`, and
answers each with a line: seconds of `fit` and `predict`, or their counted costs. It uses only the
revision's interface to plugins, so that it can time older revisions, too.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from memgen_bench import load_registry
from memgen_bench.compute import threads

if TYPE_CHECKING:
    from collections.abc import Callable


class _Reads(TorchDispatchMode):
    """Adds up the bytes that operations read from one tensor's memory."""

    def __init__(self, points: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._memory, self.bytes = points.untyped_storage().data_ptr(), 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view:  # a view reads nothing
            for leaf in tree_leaves((args, kwargs or {})):
                if isinstance(leaf, torch.Tensor) and self._holds(leaf):
                    self.bytes += leaf.numel() * leaf.element_size()
        return func(*args, **(kwargs or {}))

    def _holds(self, leaf: torch.Tensor) -> bool:
        return leaf.untyped_storage().data_ptr() == self._memory


def count(function: Callable[[], Any], points: torch.Tensor) -> dict[str, float]:
    """Call a function and return the cost of its torch operations; NumPy's are not counted.

    Args:
        function: Fits a decoder, or lets it predict.
        points: The activations that it works on, N×D.

    Returns:
        `bytes` of activations read, counted for every operation; the same in `passes` over all
        activations; and `FLOPs` of matrix products. Empty if torch read no activations.
    """
    flops = FlopCounterMode(display=False)
    with flops, _Reads(points) as reads:
        function()
    if not reads.bytes:
        return {}
    passes = reads.bytes / (points.numel() * points.element_size())
    return {"bytes": reads.bytes, "passes": passes, "FLOPs": flops.get_total_flops()}


def clock(function: Callable[[], Any], points: torch.Tensor) -> dict[str, float]:
    """Call a function and return the seconds that it takes, as `ms`."""
    started = time.perf_counter()
    function()
    return {"ms": time.perf_counter() - started}


def measure(name: str, path: str, how: Callable[..., dict[str, float]]) -> dict[str, Any]:
    """Measure `fit` and `predict` of a new estimator of a decoder.

    Args:
        name: The decoder's name.
        path: A file with `train`, `labels`, `validation`, `noisy`, `test` and `transition`.
        how: The measurement, `count` or `clock`.
    """
    spec, arrays = _registry().decoders.find(name), _arrays(path)
    give = torch.from_numpy if spec.arrays == "torch" else np.asarray
    train, validation, test = (arrays[part] for part in ("train", "validation", "test"))
    needs: dict[str, Any] = {}
    if "validation" in spec.needs:
        needs["validation"] = (give(validation), arrays["noisy"])
    if "transition" in spec.needs:
        needs["transition"] = arrays["transition"]
    decoder = spec.build()
    fit = partial(decoder.fit, give(train), give(arrays["labels"]), **needs)
    with threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        np.random.seed(0)
        return {
            "fit": how(fit, torch.from_numpy(train)),
            "predict": how(partial(decoder.predict, give(test)), torch.from_numpy(test)),
        }


@lru_cache
def _registry() -> Any:
    return load_registry()


@lru_cache
def _arrays(path: str) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def main() -> None:
    """Answer requests until standard input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            how = count if request["count"] else clock
            answer = measure(request["decoder"], request["points"], how)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
