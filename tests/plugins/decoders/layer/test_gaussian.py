"""Gaussian decoders against scikit-learn's, or their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.covariance import OAS
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)

from helpers import noisy_digits as noisy
from helpers.references import (
    COLUMNS,
    DIGITS,
    TEST,
    TEST64,
    X64,
    X,
    Y,
    centred,
    near,
    unmoved_by_a_column_that_was_constant,
)
from memgen_bench import NotApplicable
from memgen_bench.decode.moments import KeptMoments
from memgen_plugins.decoders.layer.gaussian import (
    LDA,
    RDA,
    Mahalanobis,
    ShrunkLDA,
    ShrunkQDA,
    oas_shrinkage,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def oas_lda() -> Any:
    return LinearDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS())


def oas_qda() -> Any:
    return QuadraticDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS(), tol=0.0)


IN_CLOSED_FORM = {
    "lda": (LDA, LinearDiscriminantAnalysis, 1e-10),
    "lda-shrunk": (ShrunkLDA, oas_lda, 1e-10),
    "qda-shrunk": (ShrunkQDA, oas_qda, 1e-5),  # whitens in float32 where points are that
}


@pytest.mark.parametrize("name", IN_CLOSED_FORM)
@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("classes", [10, 2])
def test_what_has_a_closed_form_equals_scikit_learns(name: str, columns: Any, classes: int) -> None:
    ours, reference, bound = IN_CLOSED_FORM[name]
    train, test, y = columns(X64), columns(TEST64), Y % classes
    near(ours().fit(train, y), reference().fit(train, y), bound, test)


@pytest.mark.parametrize("name", IN_CLOSED_FORM)
def test_what_has_a_closed_form_needs_no_double_precision(name: str) -> None:
    ours, reference, bound = IN_CLOSED_FORM[name]
    near(ours().fit(X, Y), reference().fit(X64, Y), max(bound, 1e-5), TEST)


@pytest.mark.parametrize("value", [0.3, -0.42421296, 1000.1])
def test_a_column_that_was_constant_decides_nothing_for_lda(value: float) -> None:
    unmoved_by_a_column_that_was_constant(LDA, value)


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


@pytest.mark.parametrize("shrinkage", [0.1, 0.8])
def test_rda_is_between_scikit_learns_two(shrinkage: float) -> None:
    X, Y = noisy.X, noisy.Y
    linear = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    quadratic = QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=shrinkage, tol=0.0)
    noisy.agree(RDA(1, shrinkage).fit(X, Y), linear.fit(X, Y))
    noisy.agree(RDA(0, shrinkage).fit(X, Y), quadratic.fit(X, Y))


def test_rda_follows_its_definition() -> None:
    X, Y, TEST = noisy.X, noisy.Y, noisy.TEST
    fitted, rows = RDA(0.3, 0.2).fit(X, Y), [X[k == Y] for k in range(10)]
    within = sum(len(of) * np.cov(of.T, bias=True) for of in rows)
    scores = []
    for of in rows:
        own = 0.7 * len(of)
        mixed = (own * np.cov(of.T, bias=True) + 0.3 * within) / (own + 0.3 * len(X))
        covariance = 0.8 * mixed + 0.2 * np.trace(mixed) / 64 * np.eye(64)
        shifted = TEST - of.mean(axis=0)
        distance = (shifted @ np.linalg.inv(covariance) * shifted).sum(axis=1)
        prior = np.log(len(of) / len(X))
        scores.append(prior - distance / 2 - np.linalg.slogdet(covariance)[1] / 2)
    np.testing.assert_allclose(fitted.decision_function(TEST), np.transpose(scores), rtol=1e-6)


def test_the_mahalanobis_distance_is_lda_with_equal_priors_absolute_or_relative() -> None:
    X, Y, TEST = noisy.X, noisy.Y, noisy.TEST
    reference = LinearDiscriminantAnalysis(
        solver="eigen", covariance_estimator=OAS(), priors=np.full(10, 0.1)
    ).fit(X, Y)
    fitted = Mahalanobis().fit(X, Y)
    counts = np.bincount(Y) / len(Y)
    assert np.ptp(counts) > 0.01  # the priors that are left out are not equal
    shared = sum(share * OAS().fit(X[k == Y]).covariance_ for k, share in enumerate(counts))
    inverse = np.linalg.inv(shared)
    shifts = TEST[:, None] - np.stack([X[k == Y].mean(axis=0) for k in range(10)])
    distances = np.einsum("nkd,de,nke->nk", shifts, inverse, shifts)
    assert (fitted.predict(TEST) == distances.argmin(axis=1)).all()
    far = TEST - X.mean(axis=0)
    background = np.einsum("nd,de,ne->n", far, np.linalg.pinv(np.cov(X.T)), far)
    assert (fitted.predict(TEST) == (distances - background[:, None]).argmin(axis=1)).all()
    assert reference.classes_.tolist() == fitted.classes_.tolist()


@pytest.mark.parametrize("decoder", [LDA(), ShrunkLDA(), Mahalanobis()])
def test_few_points_part_classes_as_their_covariance_does(
    decoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    points = (5 + rng.normal(size=(200, 90)) @ rng.normal(size=(90, 90))).astype(np.float32)
    points[:, 3] = 7  # a column that never varies
    labels = np.arange(40) % 3
    points[:40, 0] += 9 * labels

    def apart() -> Any:
        scores = decoder.fit(points[:40], labels).decision_function(points)
        return scores - scores.mean(axis=1, keepdims=True)

    found = apart()
    for name in ("along_span", "few_points"):
        monkeypatch.setattr(KeptMoments, name, lambda self: None)
    wanted = apart()
    assert len(set(wanted.argmax(axis=1))) == 3
    np.testing.assert_allclose(found, wanted, atol=1e-8 * np.abs(wanted).max())


@pytest.mark.parametrize("flat", [0, 2])
def test_lda_by_a_factor_is_lda_by_eigenvectors(flat: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that do not vary within classes are left out of both."""
    rng = np.random.default_rng(1)
    labels = np.arange(300) % 4
    points = rng.normal(size=(300, 20)) @ rng.normal(size=(20, 20))
    points[:, :flat] = labels[:, None]
    found = LDA().fit(points, labels).decision_function(points)
    monkeypatch.setattr("memgen_plugins.decoders.layer.gaussian._factor", lambda *_: None)
    wanted = LDA().fit(points, labels).decision_function(points)
    np.testing.assert_allclose(found, wanted, atol=1e-9 * np.abs(wanted).max())


def test_lda_leaves_out_a_direction_that_hardly_varies_beside_others() -> None:
    rng = np.random.default_rng(2)
    labels = np.arange(300) % 3
    points = rng.normal(size=(300, 6)) + np.eye(3, 6)[labels]
    thin = np.concatenate([points, points[:, :1] + 1e-7 * rng.normal(size=(300, 1))], axis=1)
    near(LDA().fit(thin, labels), LinearDiscriminantAnalysis().fit(thin, labels), 1e-6, thin)


@pytest.mark.parametrize("decoder", [ShrunkQDA(), RDA(), RDA(1.0, 0.1), RDA(0.0, 0.9)])
def test_few_points_decide_in_the_space_that_they_span_as_in_the_whole(
    decoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    points = (5 + rng.normal(size=(200, 90)) @ rng.normal(size=(90, 90))).astype(np.float32)
    labels = np.arange(40) % 3
    points[:40, 0] += 9 * labels
    found = decoder.fit(points[:40], labels).decision_function(points)
    assert decoder.span_ is not None
    monkeypatch.setattr(KeptMoments, "along_span", lambda self: None)
    wanted = decoder.fit(points[:40], labels).decision_function(points)
    assert decoder.span_ is None
    assert len(set(wanted.argmax(axis=1))) == 3
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)


def test_a_covariance_that_is_singular_beyond_few_points_is_refused() -> None:
    points = np.random.default_rng(0).normal(size=(10, 90)).astype(np.float32)
    with pytest.raises(NotApplicable, match="does not vary; n_samples = 5"):
        RDA(0.5, 0.0).fit(points, np.arange(10) % 2)
