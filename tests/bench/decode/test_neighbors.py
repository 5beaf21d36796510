"""The search for neighbours: scikit-learn's order, and one search for all decoders."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional

from helpers.references import (
    TEST,
    TEST64,
    X64,
    X,
    Y,
)
from memgen_bench import Task
from memgen_bench.compute import as_tensor
from memgen_bench.decode import neighbors
from memgen_bench.decode.neighbors import FOUND, Neighbors, largest
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors
from memgen_plugins.models.paper import build_cnn

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("k", [1, 5, FOUND, FOUND + 9])
def test_the_search_finds_what_scikit_learns_finds_in_its_order(k: int) -> None:
    reference = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(X64)
    expected = reference.kneighbors(TEST64, return_distance=False)
    assert (Neighbors(X64).query(TEST64, k).numpy() == expected).mean() >= 0.999  # equal distances


@pytest.fixture(scope="module")
def alike() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The last layers of an untrained network, for the points and others: cosines are near 1."""
    torch.manual_seed(0)
    network = build_cnn(Task(num_classes=10, channels=1, height=8, width=8))
    both = as_tensor(np.concatenate([X, TEST]) / 16).reshape(-1, 1, 8, 8)
    read, layers = both, []
    with torch.inference_mode():
        for layer in network.children():
            read = layer(read)
            layers.append(read)
    return [(layer[: len(X)], layer[len(X) :]) for layer in layers[-4:]]


def test_neighbours_are_exact_where_float32_cosines_are_all_1(
    alike: list[tuple[torch.Tensor, torch.Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for points, test in alike:
        units, others = (functional.normalize(of.double()) for of in (points, test))
        expected = torch.topk(others @ units.T, 5).indices
        assert float((units @ units.T).min()) > 0.9999
        exact = (Neighbors(points).query(test, 5) == expected).all(dim=1)
        assert float(exact.double().mean()) > 0.99
        in_double = Neighbors(points.double()).query(test.double(), 5)
        assert (in_double == expected).double().mean() > 0.999
        with monkeypatch.context() as patch:
            patch.setattr(neighbors, "_ALIKE", 2)  # as they come
            rough = (Neighbors(points).query(test, 5) == expected).all(dim=1)
        assert float(rough.double().mean()) < 0.1


def test_zero_vectors_are_like_nothing_and_twice_a_point_is_the_point_where_all_are_alike() -> None:
    points = np.random.default_rng(0).normal(1, 1e-3, (40, 6)).astype(np.float32)
    points[[3, 8]] = 0
    points[5] = 2 * points[21]
    search = Neighbors(points)
    for row, found in enumerate(search.query(points, 40).tolist()):
        assert found == list(range(40)) if row in (3, 8) else found[-2:] == [3, 8]
    assert search.query(points[21:22] * 3, 2).tolist() == [[5, 21]]


def test_neighbours_in_blocks_are_the_same_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = CosineNeighbors(5).fit(X, Y)
    at_once, rows = fitted.predict(TEST), Neighbors(X).query(TEST, 50)
    monkeypatch.setattr(neighbors, "block_rows", lambda width: 13)
    assert (fitted.predict(TEST) == at_once).all()
    assert torch.equal(Neighbors(X).query(TEST, 50), rows)


@pytest.mark.parametrize("kept", [(), (TEST,)])
def test_the_first_few_neighbours_are_a_query_for_a_few(kept: tuple[Any, ...]) -> None:
    search = Neighbors(X, kept)
    many = search.query(TEST, 50)
    assert torch.equal(search.query(TEST, 5), many[:, :5])
    assert torch.equal(Neighbors(X).query(TEST, 5), many[:, :5])
    assert torch.equal(Neighbors(X).query(TEST, 70)[:, :50], many)


def test_what_was_found_counts_for_a_copy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Neighbors(X)
    first = search.query(X, 5)
    view, copy = search.for_decoder(), torch.from_numpy(X.copy())
    view.know(copy, X)
    monkeypatch.setattr(Neighbors, "_search", None)
    assert torch.equal(view.query(copy, 5), first)
    assert view.seconds > 0
    with pytest.raises(TypeError):  # another decoder must search, who knows whose memory it is
        search.for_decoder().query(copy, 5)


def test_fewer_points_than_neighbours_are_all_found() -> None:
    search = Neighbors(np.eye(5, dtype=np.float32))
    found = search.query(np.eye(5, dtype=np.float32)[:3], 50)
    assert found.tolist() == [[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [2, 0, 1, 3, 4]]
    assert search.query(np.zeros((0, 5), np.float32), 3).shape[0] == 0


def test_equally_similar_points_come_in_the_order_of_their_rows() -> None:
    points = np.tile(np.eye(3, dtype=np.float32), (30, 1))
    found = Neighbors(points).query(np.array([[0, 2, 1]], np.float32), 50)[0].tolist()
    assert found == [*range(1, 90, 3), *range(2, 62, 3)]
    points = points[:30]  # all of them are found: ties beyond that have no defined order
    points[[3, 8]] = 0  # a zero vector is as similar to everything as what is at a right angle
    alike = [0, *range(6, 30, 3)]
    others = [row for row in range(30) if row not in alike]
    assert Neighbors(points).query(points[:1], 30)[0].tolist() == alike + others
    assert Neighbors(points).query(points[3:4], 4)[0].tolist() == [0, 1, 2, 3]


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The searches made so far: how many points, and how many neighbours of each."""
    made: list[tuple[int, int]] = []
    search = Neighbors._search

    def counted(self: Neighbors, X: torch.Tensor, k: int) -> torch.Tensor:
        made.append((len(X), k))
        return search(self, X, k)

    monkeypatch.setattr(Neighbors, "_search", counted)
    return made


def test_kept_matrices_are_searched_once_for_all(searches: list[tuple[int, int]]) -> None:
    validation, other = X[:40].copy(), X[:40].copy()
    shared = Neighbors(X, [TEST, validation])
    for k in (5, 50, 1):
        view = shared.for_decoder()
        assert torch.equal(view.query(TEST, k), Neighbors(X).query(TEST, k))
        view.query(torch.from_numpy(TEST), k)  # the same memory in another form
        view.query(validation, k)
    assert searches.count((len(TEST), FOUND)) == 1 + 3  # the three compared with are not shared
    assert searches.count((40, FOUND)) == 1
    shared.query(other, 5)  # equal content is not known to be the same
    assert searches.count((40, FOUND)) == 2
    shared.query(TEST, FOUND + 1)  # more than are kept
    assert searches[-1] == (len(TEST), FOUND + 1)


def test_decoders_share_a_search(searches: list[tuple[int, int]]) -> None:
    shared = Neighbors(X, [TEST])
    for k in (5, 50):
        fitted = CosineNeighbors(k).fit(X, Y, neighbors=shared.for_decoder())
        assert (fitted.predict(TEST) == CosineNeighbors(k).fit(X, Y).predict(TEST)).all()
    assert len(searches) == 1 + 2  # and one for each that was alone


def test_matrices_that_do_not_lie_in_one_piece_are_kept_too(
    searches: list[tuple[int, int]],
) -> None:
    apart = np.asfortranarray(TEST)
    shared = Neighbors(X, [apart])
    assert torch.equal(shared.query(TEST, 5), shared.query(apart, 5))
    assert torch.equal(shared.query(TEST[:, ::-1], 5), Neighbors(X).query(TEST[:, ::-1], 5))


def test_a_search_is_charged_to_whoever_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def finish(device: torch.device) -> None:
        now[0] += 1  # a search takes a second

    monkeypatch.setattr(neighbors, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(neighbors, "finish", finish)
    shared = Neighbors(X, [TEST])
    first, second, third = (shared.for_decoder() for _ in range(3))
    first.query(TEST, 5)
    assert (now[0], first.seconds) == (1, 0)  # its own clock ran
    second.query(TEST, 50)
    assert (now[0], second.seconds) == (1, 1)
    third.query(X[:3], 5)
    assert (now[0], third.seconds) == (2, 0)
    assert (first.seconds, shared.seconds, shared.for_decoder().seconds) == (0, 0, 0)


@pytest.mark.parametrize("k", [1, 5, 40])
def test_the_largest_are_those_that_torch_finds(k: int) -> None:
    matrix = torch.from_numpy(np.random.default_rng(0).random((30, 40), np.float32))
    matrix[3, :7], matrix[4], matrix[5, 2], matrix[6, 9] = 0.9, 0.5, torch.inf, torch.nan
    found = largest(matrix, k)
    wanted = torch.topk(matrix, k, dim=1)
    assert (found.diff(dim=1) > 0).all()
    torch.testing.assert_close(
        matrix.gather(1, found).sort(dim=1, descending=True).values,
        wanted.values.sort(dim=1, descending=True).values,
        equal_nan=True,
    )
    clear = [row for row in range(30) if row not in (3, 4)]
    assert torch.equal(found[clear], wanted.indices.sort(dim=1).values[clear])
    assert torch.equal(largest(matrix[:0], k), torch.empty(0, k, dtype=torch.int64))
