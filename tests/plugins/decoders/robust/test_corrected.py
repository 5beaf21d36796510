"""Corrected losses against a minimum that is found without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from helpers.noisy_digits import TEST, X, Y
from memgen_plugins.decoders.layer.linear import LogisticRegression
from memgen_plugins.decoders.robust.corrected import (
    BackwardLogisticRegression,
    ForwardLogisticRegression,
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
