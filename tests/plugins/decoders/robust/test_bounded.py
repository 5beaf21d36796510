"""Bounded and regularised losses against minima that are found without them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from helpers.noisy_digits import TEST, TEST_TRUE, X, Y, agree
from memgen_plugins.decoders.layer.linear import LogisticRegression
from memgen_plugins.decoders.robust.bounded import (
    ConfidentLogisticRegression,
    GeneralizedLogisticRegression,
)
from memgen_plugins.decoders.robust.corrected import BackwardLogisticRegression

pytestmark = pytest.mark.usefixtures("one_thread")

MEAN, SCALE = X.mean(axis=0), np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
Z = (X - MEAN) / SCALE


def _slope_of_textbook(
    flat: np.ndarray, Z: np.ndarray, C: float, q: float
) -> tuple[float, np.ndarray]:
    """C Σ (1 − p_y^q)/q + ‖W‖²/2 with a free intercept, and its slope by autograd."""
    at = torch.from_numpy(flat).requires_grad_()
    weights = at.reshape(10, 65)
    p = (torch.from_numpy(Z) @ weights[:, :-1].T + weights[:, -1]).softmax(dim=1)
    own = p[torch.arange(len(Y)), torch.from_numpy(Y)]
    value = C * ((1 - own**q) / q).sum() + weights[:, :-1].square().sum() / 2
    value.backward()  # type: ignore[no-untyped-call]
    assert at.grad is not None
    return float(value.detach()), at.grad.numpy()


@pytest.mark.parametrize(("C", "q"), [(1e-3, 0.7), (1e-2, 0.7), (1e-2, 0.3)])
def test_it_is_the_optimum_downhill_from_where_all_classes_are_as_likely(
    C: float, q: float
) -> None:
    mean, scale = X.mean(axis=0), np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    options = {"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-8}
    found = minimize(
        _slope_of_textbook,
        np.zeros(650),
        args=((X - mean) / scale, C, q),
        jac=True,
        method="L-BFGS-B",
        options=options,
    )
    ours = GeneralizedLogisticRegression(C=C, q=q).fit(X, Y)
    weights = found.x.reshape(10, 65)
    expected = ((TEST - mean) / scale @ weights[:, :-1].T + weights[:, -1]).argmax(axis=1)
    assert np.mean(ours.predict(TEST) == expected) > 0.99
    flat = np.hstack([ours.coef_ * scale, (ours.intercept_ + ours.coef_ @ mean)[:, None]]).ravel()
    value, slope = _slope_of_textbook(flat, (X - mean) / scale, C, q)
    assert value == pytest.approx(found.fun, rel=1e-4)
    assert np.abs(slope).max() < 2e-5 * C * len(X)


def test_a_small_exponent_gives_the_cross_entropy() -> None:
    agree(
        GeneralizedLogisticRegression(C=1e-3, q=1e-5).fit(X, Y),
        LogisticRegression(C=1e-3).fit(X, Y),
    )


def test_it_bears_wrong_labels_that_the_cross_entropy_fits() -> None:
    bounded, plain = (
        np.mean(decoder.fit(X, Y).predict(TEST) == TEST_TRUE)
        for decoder in (GeneralizedLogisticRegression(C=0.03), LogisticRegression(C=0.03))
    )
    assert bounded > plain + 0.03


@pytest.mark.parametrize("q", [0.0, 1.5])
def test_other_exponents_are_refused(q: float) -> None:
    with pytest.raises(ValueError, match=r"in the range \(0.0, 1.0\]"):
        GeneralizedLogisticRegression(q=q).fit(X, Y)


def _regularised(flat: np.ndarray, C: float, beta: float) -> tuple[float, np.ndarray]:
    """C Σ (ℓ(y) − β Σ_k π_k ℓ(k)) + ‖W‖²/2 with the intercept, and its slope by autograd."""
    at = torch.from_numpy(flat).requires_grad_()
    weights = at.reshape(10, 65)
    losses = -(torch.from_numpy(Z) @ weights[:, :-1].T + weights[:, -1]).log_softmax(dim=1)
    shares = torch.from_numpy(np.bincount(Y, minlength=10) / len(Y))
    own = losses[torch.arange(len(Y)), torch.from_numpy(Y)]
    value = C * (own - beta * losses @ shares).sum() + weights.square().sum() / 2
    value.backward()  # type: ignore[no-untyped-call]
    assert at.grad is not None
    return float(value.detach()), at.grad.numpy()


@pytest.mark.parametrize(("C", "beta"), [(1e-2, 0.5), (1e-2, 1.0), (1e-3, 2.0)])
def test_the_confidence_regulariser_ends_at_the_optimum_of_the_textbook(
    C: float, beta: float
) -> None:
    options = {"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-9}
    found = minimize(
        _regularised, np.zeros(650), args=(C, beta), jac=True, method="L-BFGS-B", options=options
    )
    ours = ConfidentLogisticRegression(C=C, beta=beta).fit(X, Y)
    weights = found.x.reshape(10, 65)
    expected = ((TEST - MEAN) / SCALE @ weights[:, :-1].T + weights[:, -1]).argmax(axis=1)
    assert np.mean(ours.predict(TEST) == expected) > 0.99
    flat = np.hstack([ours.coef_ * SCALE, (ours.intercept_ + ours.coef_ @ MEAN)[:, None]]).ravel()
    value, slope = _regularised(flat, C, beta)
    assert value == pytest.approx(found.fun, rel=1e-4)
    assert np.abs(slope).max() < 2e-5 * C * len(X)


def test_without_the_regulariser_it_is_logistic_regression_but_for_the_intercept() -> None:
    without = ConfidentLogisticRegression(C=1e-2, beta=0.0).fit(X, Y).predict(TEST)
    assert np.mean(without == LogisticRegression(C=1e-2).fit(X, Y).predict(TEST)) > 0.97


def test_with_weight_one_its_vectors_are_sums_of_class_means() -> None:
    ours = ConfidentLogisticRegression(C=1e-2, beta=1.0).fit(X, Y)
    sums = np.stack([Z[k == Y].sum(axis=0) for k in range(10)])
    np.testing.assert_allclose(ours.coef_ * SCALE, 1e-2 * sums, atol=1e-3 * np.abs(sums).max())


def test_with_the_rate_of_the_noise_as_weight_it_is_backward_correction() -> None:
    rows = np.concatenate([np.flatnonzero(k == Y)[:50] for k in range(10)])  # balanced
    points, labels = X[rows], Y[rows]
    ours = ConfidentLogisticRegression(C=1e-2, beta=0.5).fit(points, labels)
    corrected = BackwardLogisticRegression(C=1e-2 * 0.5, rate=0.5).fit(points, labels)
    agree(ours, corrected)
    scores = corrected.decision_function(TEST)
    difference = np.abs(ours.decision_function(TEST) - scores).max()
    assert difference < 0.02 * np.abs(scores).max()


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match=r"in the range \[0.0, inf\)"):
        ConfidentLogisticRegression(beta=-1.0).fit(X, Y)
