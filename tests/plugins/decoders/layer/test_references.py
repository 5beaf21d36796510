"""Decoders written here against scikit-learn's, or against their definition.

How near they come was measured on one thread; the bounds here leave a factor of ten. A score is
compared after its mean over the classes was taken off, which decides nothing.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.covariance import OAS
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.linear_model import LogisticRegression as SoftmaxReference
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from memgen_bench import NotApplicable
from memgen_bench.decode import neighbors
from memgen_bench.decode.neighbors import FOUND, Neighbors
from memgen_plugins.decoders.layer.centroid import CosineCentroid, EuclideanCentroid
from memgen_plugins.decoders.layer.gaussian import LDA, ShrunkLDA, ShrunkQDA, oas_shrinkage
from memgen_plugins.decoders.layer.linear import LinearSVM, LogisticRegression, Ridge
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors

pytestmark = pytest.mark.usefixtures("one_thread")

DIGITS = load_digits()
X, TEST = DIGITS.data[:1000].astype(np.float32), DIGITS.data[1000:].astype(np.float32)
Y = np.where(np.random.default_rng(0).random(1000) < 0.4, 3, DIGITS.target[:1000])
X64, TEST64 = X.astype(np.float64), TEST.astype(np.float64)


def centred(scores: np.ndarray) -> np.ndarray:
    return scores - scores.mean(axis=1, keepdims=True) if scores.ndim == 2 else scores


def near(
    ours: Any, reference: Any, bound: float, test: np.ndarray = TEST64, *, factor: float = 1
) -> None:
    """Compare predictions, and scores relative to the largest."""
    assert np.mean(ours.predict(test) == reference.predict(test)) >= 0.999
    expected = factor * centred(reference.decision_function(test))
    difference = centred(ours.decision_function(test)) - expected
    assert float(np.abs(difference).max()) <= bound * float(np.abs(expected).max())


# discriminant analysis and ridge regression: the same up to rounding


def oas_lda() -> Any:
    return LinearDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS())


def oas_qda() -> Any:
    return QuadraticDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS(), tol=0.0)


def ridge() -> Any:
    return make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0))


IN_CLOSED_FORM = {
    "lda": (LDA, LinearDiscriminantAnalysis, 1e-10),
    "lda-shrunk": (ShrunkLDA, oas_lda, 1e-10),
    "qda-shrunk": (ShrunkQDA, oas_qda, 1e-5),  # whitens in float32 where points are that
    "ridge": (Ridge, ridge, 1e-10),
}


def plain(points: np.ndarray) -> np.ndarray:
    return points


def with_repeated_columns(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, points[:, 20:30], points[:, 20:21]], axis=1)


def with_constant_columns(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.full((len(points), 2), [0.5, -8.0])], axis=1)


@pytest.mark.parametrize("name", IN_CLOSED_FORM)
@pytest.mark.parametrize("columns", [plain, with_repeated_columns, with_constant_columns])
@pytest.mark.parametrize("classes", [10, 2])
def test_what_has_a_closed_form_equals_scikit_learns(name: str, columns: Any, classes: int) -> None:
    ours, reference, bound = IN_CLOSED_FORM[name]
    train, test, y = columns(X64), columns(TEST64), Y % classes
    # Of two classes, our score is the difference of both, which are each other's negative.
    factor = 2 if (name, classes) == ("ridge", 2) else 1
    near(ours().fit(train, y), reference().fit(train, y), bound, test, factor=factor)


@pytest.mark.parametrize("name", IN_CLOSED_FORM)
def test_what_has_a_closed_form_needs_no_double_precision(name: str) -> None:
    ours, reference, bound = IN_CLOSED_FORM[name]
    near(ours().fit(X, Y), reference().fit(X64, Y), max(bound, 1e-5), TEST)


@pytest.mark.parametrize("build", [LDA, Ridge, LogisticRegression, LinearSVM])
@pytest.mark.parametrize("value", [0.3, -0.42421296, 1000.1])
def test_a_column_that_was_constant_decides_nothing(build: Any, value: float) -> None:
    def add(points: np.ndarray, value: float) -> np.ndarray:
        return np.concatenate([points, np.full((len(points), 1), value)], axis=1)

    without = build().fit(X64, Y).decision_function(TEST64)
    changed = build().fit(add(X64, value), Y).decision_function(add(TEST64, value + 2))
    np.testing.assert_allclose(changed, without, rtol=1e-5, atol=1e-5 * np.abs(without).max())


def test_points_that_do_not_vary_within_classes_are_nothing_for_lda() -> None:
    with pytest.raises(NotApplicable, match="no class varies"):
        LDA().fit(np.eye(3, 5, dtype=np.float32).repeat(2, axis=0), [0, 0, 1, 1, 2, 2])


def test_what_varies_alike_in_all_directions_is_shrunk_to_just_that() -> None:
    points = 1.8 + 0.45 * np.concatenate([np.eye(3), -np.eye(3)])  # rounding makes it uneven
    covariance = np.cov(points.T, bias=True)
    assert oas_shrinkage(torch.from_numpy(covariance), 6) == 1


def test_lda_takes_what_lies_far_from_the_origin() -> None:
    shift = np.float32(64)
    reference = LinearDiscriminantAnalysis().fit(X64, Y)
    moved = LDA().fit(X + shift, Y).decision_function(TEST + shift)
    expected = centred(reference.decision_function(TEST64))
    assert np.abs(centred(moved) - expected).max() <= 1e-8 * np.abs(expected).max()


def test_lda_sees_a_direction_in_which_points_are_close_to_each_other() -> None:
    def add(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
        thin = np.random.default_rng(0).normal(labels % 2, 0.5)
        return np.column_stack([points, points[:, 20] + 3e-4 * thin]).astype(np.float32)

    train, test = add(X64 / 7, Y), add(TEST64 / 7, DIGITS.target[1000:])
    reference = LinearDiscriminantAnalysis().fit(train.astype(np.float64), Y)
    expected = centred(reference.decision_function(test.astype(np.float64)))
    found = centred(LDA().fit(train, Y).decision_function(test))
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


# searches for an optimum

LOGISTIC_BOUNDS = {1e-3: 4e-4, 1e-1: 1e-2}  # of the largest score, as measured × 10
HINGE_BOUNDS = {1e-3: 6e-4, 1e-1: 1e-1}  # predictions are equal long before the scores are


@pytest.mark.parametrize("C", LOGISTIC_BOUNDS)
def test_logistic_regression_ends_at_scikit_learns_optimum(C: float) -> None:
    reference = make_pipeline(
        StandardScaler(), SoftmaxReference(C=C, tol=1e-8, max_iter=10_000)
    ).fit(X64, Y)
    near(LogisticRegression(C).fit(X, Y), reference, LOGISTIC_BOUNDS[C], TEST)


@pytest.mark.parametrize("C", HINGE_BOUNDS)
def test_the_support_vector_machine_ends_at_scikit_learns_optimum(C: float) -> None:
    reference = make_pipeline(
        StandardScaler(), LinearSVC(C=C, tol=1e-10, max_iter=100_000, dual=False)
    )
    near(LinearSVM(C).fit(X, Y), reference.fit(X64, Y), HINGE_BOUNDS[C], TEST)
    two = Y % 2  # both classes have a machine here, which are each other's negative
    near(LinearSVM(C).fit(X, two), reference.fit(X64, two), HINGE_BOUNDS[C], TEST, factor=2)


@pytest.mark.parametrize("build", [LogisticRegression, LinearSVM])
def test_a_search_may_start_where_the_last_one_ended(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluations: list[None] = []
    loss = build._loss

    def counted(*arguments: Any) -> Any:
        evaluations.append(None)
        return loss(*arguments)

    def fitted(estimator: Any, y: np.ndarray = Y) -> int:
        before = len(evaluations)
        estimator.fit(X, y)
        return len(evaluations) - before

    monkeypatch.setattr(build, "_loss", counted)
    cold, warm = build(C=1e-3), build(C=1e-3, warm_start=True)
    needed = fitted(cold)
    assert fitted(warm) == needed > 5  # there is no last one yet
    assert fitted(warm) < needed / 3  # it is there already
    near(warm, cold, 1e-6, TEST)
    assert fitted(cold) == needed  # without warm_start nothing is remembered
    cold.C = warm.C = 2e-3
    fitted(cold)
    fitted(warm)
    near(warm, cold, 5e-3, TEST)  # from elsewhere, the same optimum
    assert fitted(warm, Y % 4) == fitted(cold, Y % 4)  # other classes: it begins anew
    assert (warm.coef_ == cold.coef_).all()


@pytest.mark.parametrize("build", [LogisticRegression, LinearSVM])
def test_blocks_change_nothing_but_rounding(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = build().fit(X, Y)
    monkeypatch.setattr("memgen_bench.compute.block_rows", lambda width: 33)
    in_blocks = build().fit(X, Y)
    near(in_blocks, at_once, 1e-4, TEST)


# neighbours


@pytest.mark.parametrize("k", [1, 5, 50])
def test_neighbours_equal_scikit_learns(k: int) -> None:
    reference = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(X64, Y)
    ours = CosineNeighbors(k).fit(X64, Y)
    assert (ours.predict(TEST) == reference.predict(TEST64)).all()


@pytest.mark.parametrize("k", [1, 5, FOUND, FOUND + 9])
def test_the_search_finds_what_scikit_learns_finds_in_its_order(k: int) -> None:
    reference = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(X64)
    expected = reference.kneighbors(TEST64, return_distance=False)
    assert (Neighbors(X64).query(TEST64, k).numpy() == expected).mean() >= 0.999  # equal distances


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


def test_with_fewer_points_than_neighbours_all_of_them_vote() -> None:
    fitted = CosineNeighbors(50).fit(np.eye(5), [1, 1, 1, 0, 0])
    assert fitted.predict(np.eye(5)).tolist() == [1] * 5


# centroids


def test_cosine_centroid_follows_its_definition() -> None:
    classes = np.unique(Y)
    means = np.stack([X[k == Y].mean(axis=0) for k in classes])
    cosine = (TEST @ means.T) / np.linalg.norm(means, axis=1)
    predicted = CosineCentroid().fit(X, Y).predict(TEST)
    assert (predicted == classes[cosine.argmax(axis=1)]).all()
    euclidean = ((TEST[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (predicted != classes[euclidean]).any()  # the two rules differ


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # digits have black corners
def test_euclidean_centroid_equals_scikit_learns() -> None:
    reference = NearestCentroid().fit(X64, Y)
    fitted = EuclideanCentroid().fit(X, Y)
    np.testing.assert_allclose(fitted.coef_, reference.centroids_, rtol=1e-12)
    assert (fitted.predict(TEST) == reference.predict(TEST64)).all()


def test_a_class_with_a_zero_mean_wins_nothing_that_points_elsewhere() -> None:
    fitted = CosineCentroid().fit([[1, 0], [-1, 0], [0, 1], [0, 2]], [0, 0, 1, 1])
    assert fitted.predict([[0.5, 1], [0, -1]]).tolist() == [1, 0]
