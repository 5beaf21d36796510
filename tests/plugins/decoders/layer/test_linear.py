"""Linear decoders against scikit-learn's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sklearn.linear_model import LogisticRegression as SoftmaxReference
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from helpers.references import (
    COLUMNS,
    TEST,
    TEST64,
    X64,
    X,
    Y,
    near,
    unmoved_by_a_column_that_was_constant,
)
from memgen_plugins.decoders.layer.linear import LinearSVM, LogisticRegression, Ridge

if TYPE_CHECKING:
    import numpy as np

pytestmark = pytest.mark.usefixtures("one_thread")


def ridge() -> Any:
    return make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0))


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("classes", [10, 2])
def test_ridge_regression_equals_scikit_learns(columns: Any, classes: int) -> None:
    train, test, y = columns(X64), columns(TEST64), Y % classes
    # Of two classes, our score is the difference of both, which are each other's negative.
    factor = 2 if classes == 2 else 1
    near(Ridge().fit(train, y), ridge().fit(train, y), 1e-10, test, factor=factor)


def test_ridge_regression_needs_no_double_precision() -> None:
    near(Ridge().fit(X, Y), ridge().fit(X64, Y), 1e-5, TEST)


@pytest.mark.parametrize("classes", [10, 2])
def test_ridge_regression_on_few_points_equals_scikit_learns(classes: int) -> None:
    few = Y[:40] % classes  # fewer than three quarters of the 64 columns
    factor = 2 if classes == 2 else 1
    wanted = ridge().fit(X64[:40], few)
    near(Ridge().fit(X64[:40], few), wanted, 1e-10, TEST64, factor=factor)


@pytest.mark.parametrize("build", [Ridge, LogisticRegression, LinearSVM])
@pytest.mark.parametrize("value", [0.3, -0.42421296, 1000.1])
def test_a_column_that_was_constant_decides_nothing(build: Any, value: float) -> None:
    unmoved_by_a_column_that_was_constant(build, value)


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
