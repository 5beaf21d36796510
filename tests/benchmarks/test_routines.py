"""Routines that decoders lean on, against the plain way to the same numbers, in turns, one thread.

    pytest tests/benchmarks/test_routines.py --benchmark-only -s

Sizes are those of the widest layers of the suite `core`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from benchmarks.test_speed import median, say, timed
from memgen_bench.compute import keep_freed_memory
from memgen_bench.decode.eigen import eigh64
from memgen_bench.decode.moments import KeptMoments, add_gram, symmetric
from memgen_bench.decode.neighbors import largest
from memgen_plugins.decoders.base.triangular import times_upper, whitened
from memgen_plugins.decoders.layer.gaussian import RDA
from memgen_plugins.decoders.layer.whitened import leading

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("one_thread")

DIM, POINTS, FEW = 1024, 360, 500


def points(count: int, *, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((count, DIM), np.float32) * np.logspace(0, -2, DIM)
    return torch.from_numpy(found.astype(np.float32))


def against(benchmark: Any, what: str, ours: Callable[[], Any], plain: Callable[[], Any]) -> None:
    keep_freed_memory()
    _, (slow,) = timed(benchmark, ours, plain, rounds=5)
    say(benchmark, f"{what}, times the plain way", slow / median(benchmark), "> 1")


def test_triangular_product(benchmark: Any) -> None:
    rows, upper = points(2000), points(DIM).triu()
    np.testing.assert_allclose(times_upper(rows.clone(), upper), rows @ upper, atol=1e-3)
    against(benchmark, "x·W", lambda: times_upper(rows.clone(), upper), lambda: rows @ upper)


def test_whitening(benchmark: Any) -> None:
    some = points(2 * DIM).double()
    matrix, unit = some.T @ some, torch.eye(DIM, dtype=torch.float64)

    def plain() -> Any:
        factor = torch.linalg.cholesky(matrix)
        return torch.linalg.solve_triangular(factor, unit, upper=False).T

    against(benchmark, "whitening", lambda: whitened(matrix.clone()), plain)


def test_second_moment(benchmark: Any) -> None:
    some = points(POINTS).double()

    def ours() -> torch.Tensor:
        lower = torch.zeros(DIM, DIM, dtype=torch.float64)
        add_gram(lower, some)
        return symmetric(lower)

    torch.testing.assert_close(ours(), some.T @ some)
    against(benchmark, "second moment", ours, lambda: some.T @ some)


def test_two_axes(benchmark: Any) -> None:
    some = points(POINTS).double()
    second, whitening = some.T @ some, points(DIM, seed=1).double()

    def plain() -> Any:
        return eigh64(whitening.T @ second @ whitening)

    against(benchmark, "two axes", lambda: leading(whitening, second, 2), plain)


def test_nearest(benchmark: Any) -> None:
    similarity = points(2000) @ points(3000, seed=1).T
    against(
        benchmark,
        "the 64 largest of 3,000",
        lambda: largest(similarity, 64),
        lambda: torch.topk(similarity, 64, dim=1).indices.sort(dim=1),
    )


def test_few_points(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    some, labels, test = points(FEW), np.arange(FEW) % 10, points(2000, seed=1)
    moments, span = KeptMoments(some, labels), KeptMoments.along_span

    def read(along_span: Any) -> Any:
        monkeypatch.setattr(KeptMoments, "along_span", along_span)
        return RDA().fit_moments(moments.for_decoder()).predict(test)

    assert np.mean(read(span) == read(lambda self: None)) > 0.999
    against(benchmark, "RDA of 500 points", lambda: read(span), lambda: read(lambda self: None))
