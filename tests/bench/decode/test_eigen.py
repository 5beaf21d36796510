"""Eigenproblems in float32 beside the largest axis, against float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memgen_bench.decode import eigen
from memgen_bench.decode.eigen import eigh, eigh64, eigh_each

pytestmark = pytest.mark.usefixtures("one_thread")

DIM = 200


def second_moment(mean: float, decades: float, count: int = 1000, seed: int = 0) -> torch.Tensor:
    """Second moment of points far from the origin, whose axes spread over some decades."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
    X = rng.standard_normal((count, DIM)) * np.logspace(0, -decades, DIM) @ turn + mean
    return torch.from_numpy(X.T @ X / count)


ILL_CONDITIONED = {
    "a mean far away": second_moment(30, 2),
    "six decades": second_moment(1, 6),
    "few points": second_moment(3, 1, count=50),
    "dead units": second_moment(3, 1)
    * (torch.arange(DIM) % 3 > 0).outer(torch.arange(DIM) % 3 > 0),
}


@pytest.mark.parametrize("kind", ILL_CONDITIONED)
def test_leading_eigenvalues_and_subspaces_are_those_of_float64(kind: str) -> None:
    matrix = ILL_CONDITIONED[kind]
    assert eigen._eigh_in_parts(matrix)  # the way that is tested
    values, vectors = eigh(matrix)
    assert values.dtype == torch.float64
    assert vectors.dtype == torch.float32
    expected, basis = (part.flip(-1) for part in eigh64(matrix))
    shares = expected.cumsum(0) / expected.sum()
    held = int((shares <= 0.99).sum()) + 1
    np.testing.assert_allclose(values[:held], expected[:held], rtol=1e-7)
    np.testing.assert_allclose(values, expected.clamp(min=0), atol=2e-6 * float(expected[1]))
    test = torch.from_numpy(np.random.default_rng(1).standard_normal((50, DIM)))
    for share in (0.5, 0.75, 0.9, 0.99):
        p = int((shares <= share).sum()) + 1
        assert int((values.cumsum(0) / values.sum() <= share).sum()) + 1 == p
        ours, theirs = (
            torch.linalg.vector_norm(test @ v[:, :p].double(), dim=1) for v in (vectors, basis)
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def test_a_power_method_that_begins_at_a_smaller_axis_is_found_out() -> None:
    """Its start is the sum of all columns, here an eigenvector beside the largest."""
    ones = torch.ones(DIM, dtype=torch.float64)
    larger = torch.tensor([1.0, -1.0] * (DIM // 2), dtype=torch.float64)
    matrix = torch.outer(ones, ones) + 3 * torch.outer(larger, larger)
    values, vectors = eigh(matrix)
    np.testing.assert_allclose(values[:2], [3 * DIM, DIM])
    np.testing.assert_allclose(abs(vectors[:, 0] @ larger.float()), DIM**0.5, rtol=1e-5)


def test_float32_alone_would_be_too_coarse() -> None:
    matrix = ILL_CONDITIONED["a mean far away"]
    expected = eigh64(matrix)[0].flip(0)[1:20]
    plain = torch.linalg.eigvalsh(matrix.float()).flip(0)[1:20]
    coarse = float(((plain - expected) / expected).abs().max())
    fine = float(((eigh(matrix)[0][1:20] - expected) / expected).abs().max())
    assert fine < coarse / 100


def test_vectors_are_orthonormal() -> None:
    for matrix in (*ILL_CONDITIONED.values(), torch.eye(DIM, dtype=torch.float64)):
        vectors = eigh(matrix)[1].double()
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(DIM), atol=2e-5)


@pytest.mark.parametrize("matrix", [torch.zeros(DIM, DIM), second_moment(0, 0.01)])
def test_without_a_far_larger_axis_it_is_float64_all_the_way(matrix: torch.Tensor) -> None:
    matrix = matrix.double()
    values, vectors = eigh(matrix)
    expected, basis = (part.flip(-1) for part in eigh64(matrix))
    assert torch.equal(values, expected.clamp(min=0))
    assert torch.equal(vectors, basis.float())


def test_where_float32_does_not_converge_it_is_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = ILL_CONDITIONED["dead units"]

    def fail(_: torch.Tensor) -> None:
        raise torch.linalg.LinAlgError("failed to converge")  # type: ignore[attr-defined]

    monkeypatch.setattr(torch.linalg, "eigh", fail)
    values, vectors = eigh(matrix)
    expected, basis = (part.flip(-1) for part in eigh64(matrix))
    assert torch.equal(values, expected.clamp(min=0))
    assert torch.equal(vectors, basis.float())


def test_several_at_once_are_what_they_are_alone_and_threads_stay() -> None:
    before = torch.get_num_threads()
    matrices = list(ILL_CONDITIONED.values())
    for found, matrix in zip(eigh_each(matrices), matrices, strict=True):
        assert all(map(torch.equal, found, eigh(matrix)))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("broken", ["values", "vectors"])
def test_a_float32_routine_that_answers_with_nan_is_not_believed(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAPACK's does so now and then: 13 of 120 second moments of an untrained `paper-cnn`."""
    matrix, solve = ILL_CONDITIONED["a mean far away"], torch.linalg.eigh
    expected = eigh64(matrix)

    def silent(problem: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, vectors = solve(problem)
        if problem.dtype == torch.float32:
            (values if broken == "values" else vectors).fill_(np.nan)
        return values, vectors

    monkeypatch.setattr(torch.linalg, "eigh", silent)
    values, vectors = eigh(matrix)
    torch.testing.assert_close(values, expected[0].flip(0).clamp(min=0))
    torch.testing.assert_close(vectors, expected[1].float().flip(1))


def test_a_float64_routine_that_answers_with_nan_is_asked_in_another_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix = ILL_CONDITIONED["a mean far away"]
    expected, _ = eigh64(matrix)
    nothing = np.full(DIM, np.nan), np.full((DIM, DIM), np.nan)
    monkeypatch.setattr(np.linalg, "eigh", lambda _: nothing)
    values, vectors = eigh64(matrix)
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(vectors @ torch.diag(values) @ vectors.T, matrix)


def test_a_matrix_that_is_not_finite_has_no_eigenvalues() -> None:
    matrix = ILL_CONDITIONED["a mean far away"].clone()
    matrix[0, 0] = np.nan
    with pytest.raises(np.linalg.LinAlgError):
        eigh(matrix)
