"""Corrected losses against a minimum that is found without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from helpers.noisy_digits import TEST, TRUE, X, Y, agree
from memgen_plugins.decoders.layer.linear import LogisticRegression
from memgen_plugins.decoders.robust.corrected import (
    BackwardLogisticRegression,
    ForwardLogisticRegression,
    RevisedLogisticRegression,
)
from memgen_plugins.noises import uniform_transition

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.usefixtures("one_thread")


def minimum(loss: Callable[[torch.Tensor], torch.Tensor], C: float) -> np.ndarray:
    """Minimise C·Σ loss(log p) + |W|²/2 over features as they come to the estimator."""
    scale = X.std(axis=0)
    Z = (X - X.mean(axis=0)) / np.where(scale > 0, scale, 1)

    def objective(flat: torch.Tensor) -> torch.Tensor:
        weights = flat.reshape(10, 65)
        scores = torch.from_numpy(Z) @ weights[:, :-1].T + weights[:, -1]
        return C * loss(scores.log_softmax(dim=1)) + weights.square().sum() / 2

    def with_slope(flat: np.ndarray) -> tuple[float, np.ndarray]:
        at = torch.from_numpy(flat).requires_grad_()
        value = objective(at)
        value.backward()  # type: ignore[no-untyped-call]
        assert at.grad is not None
        return float(value.detach()), at.grad.numpy()

    options = {"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-8}
    found = minimize(with_slope, np.zeros(650), jac=True, method="L-BFGS-B", options=options)
    weights = found.x.reshape(10, 65)
    held = (TEST - X.mean(axis=0)) / np.where(scale > 0, scale, 1)
    log_p: np.ndarray = log_softmax(held @ weights[:, :-1].T + weights[:, -1], axis=1)
    return log_p


def corrected(name: str, log_p: torch.Tensor) -> torch.Tensor:
    transition: torch.Tensor = torch.from_numpy(uniform_transition(0.5, 10))
    if name == "forward":
        given = (log_p.exp() @ transition)[torch.arange(len(Y)), torch.from_numpy(Y)]
        return -given.log().sum()
    weights: torch.Tensor = torch.linalg.inv(transition)[torch.from_numpy(Y)]
    return -(weights * log_p).sum()


@pytest.mark.parametrize(
    ("name", "build"),
    [("forward", ForwardLogisticRegression), ("backward", BackwardLogisticRegression)],
)
def test_corrected_losses_end_at_their_minimum(name: str, build: Any) -> None:
    expected = minimum(lambda log_p: corrected(name, log_p), C=1e-2)
    ours = build(C=1e-2).fit(X, Y, transition=uniform_transition(0.5, 10))
    found = log_softmax(ours.decision_function(TEST), axis=1)
    assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) >= 0.99
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    without = build(C=1e-2).fit(X, Y).predict(TEST)  # the intercept apart, the plain one
    assert np.mean(without == LogisticRegression(C=1e-2).fit(X, Y).predict(TEST)) > 0.97


SCALE = np.where(X.std(axis=0) > 0, X.std(axis=0), 1)


def with_slack(flat: np.ndarray, C: float, rate: float, slack: float) -> tuple[float, np.ndarray]:
    """C Σ −log Σ_t p_t T[t, y] + C‖A‖²/2s² + |W|²/2 with T of log T + A, and its slope."""
    at = torch.from_numpy(flat).requires_grad_()
    weights, added = at[:650].reshape(10, 65), at[650:].reshape(10, 10)
    Z = torch.from_numpy((X - X.mean(axis=0)) / SCALE)
    p = (Z @ weights[:, :-1].T + weights[:, -1]).softmax(dim=1)
    transition = (torch.from_numpy(uniform_transition(rate, 10)).log() + added).softmax(dim=1)
    given = (p @ transition)[torch.arange(len(Y)), torch.from_numpy(Y)]
    price = C * added.square().sum() / (2 * slack**2)
    value = -C * given.log().sum() + price + weights.square().sum() / 2
    value.backward()  # type: ignore[no-untyped-call]
    assert at.grad is not None
    return float(value.detach()), at.grad.numpy()


def test_weights_and_slack_end_at_a_minimum_of_both() -> None:
    settings = (1e-2, 0.8, 0.5)
    ours = RevisedLogisticRegression(*settings).fit(X, Y)
    forward = ForwardLogisticRegression(1e-2, rate=0.8).fit(X, Y)

    def unknown(fitted: Any, added: np.ndarray) -> np.ndarray:
        offset = fitted.intercept_ + fitted.coef_ @ X.mean(axis=0)
        weights = np.hstack([fitted.coef_ * SCALE, offset[:, None]])
        return np.concatenate([weights.ravel(), added.ravel()])

    # What softmax leaves open, a number for each row, has the mean 0 where slack is cheapest.
    added = np.log(ours.transition_) - np.log(uniform_transition(0.8, 10))
    added -= added.mean(axis=1, keepdims=True)
    begun = unknown(forward, np.zeros((10, 10)))
    options = {"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-8}
    found = minimize(with_slack, begun, args=settings, jac=True, method="L-BFGS-B", options=options)
    value, slope = with_slack(unknown(ours, added), *settings)
    assert with_slack(begun, *settings)[0] > value + 0.01
    assert value == pytest.approx(found.fun, rel=1e-4)
    assert np.abs(slope).max() < 2e-5 * 1e-2 * len(X)


def test_without_slack_it_is_forward_correction() -> None:
    ours = RevisedLogisticRegression(C=1e-2, rate=0.4, slack=1e-4).fit(X, Y)
    agree(ours, ForwardLogisticRegression(C=1e-2, rate=0.4).fit(X, Y))
    np.testing.assert_allclose(ours.transition_, uniform_transition(0.4, 10), atol=1e-4)


def test_a_wrong_transition_is_revised_towards_the_true_one() -> None:
    flipped = np.random.default_rng(0).random(len(TRUE)) < 0.35
    given = np.where(flipped, (TRUE + 1) % 10, TRUE)  # each class for the next one
    true = 0.65 * np.eye(10) + 0.35 * np.roll(np.eye(10), 1, axis=1)
    begun = uniform_transition(0.8, 10)
    ours = RevisedLogisticRegression(C=1e-2, rate=0.8).fit(X, given)
    np.testing.assert_allclose(ours.transition_.sum(axis=1), 1)
    assert np.abs(ours.transition_ - true).sum() < 0.5 * np.abs(begun - true).sum()
