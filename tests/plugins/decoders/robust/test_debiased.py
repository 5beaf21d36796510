"""Moments without the noise are those of the true labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone

from helpers.noisy_digits import TEST, TRUE, X, Y
from memgen_bench.decode.moments import moments_of
from memgen_plugins.decoders.layer.gaussian import RDA
from memgen_plugins.decoders.robust.debiased import Debiased, DebiasedMoments
from memgen_plugins.noises import pair_transition, uniform, uniform_transition

pytestmark = pytest.mark.usefixtures("one_thread")


def test_debiased_moments_are_on_average_those_of_the_true_labels() -> None:
    rng, transition = np.random.default_rng(0), pair_transition(0.3, 10)
    truth, means, within = moments_of(X, TRUE), [], []
    for _ in range(200):
        given = np.array([rng.choice(10, p=transition[label]) for label in TRUE])
        debiased = DebiasedMoments(moments_of(X, given), transition)
        means.append(debiased.means.numpy())
        within.append(debiased.within().trace().item())
    error = np.abs(np.mean(means, axis=0) - truth.means.numpy()).mean()
    biased = np.abs(moments_of(X, given).means.numpy() - truth.means.numpy()).mean()
    assert error < 0.1 * biased
    assert np.mean(within) == pytest.approx(truth.within().trace().item(), rel=0.02)


def test_debiasing_by_the_realised_transition_gives_true_means_where_labels_are_blind() -> None:
    classes = np.repeat(np.arange(3), 60)
    points = np.eye(3)[classes] * 5 + 1  # all points of a class are the same one
    given = uniform(classes, 0.6, 3, np.random.default_rng(0))
    realised = np.stack([np.bincount(given[classes == k], minlength=3) for k in range(3)]) / 60
    debiased = DebiasedMoments(moments_of(points, given), realised)
    np.testing.assert_allclose(debiased.means.numpy(), np.eye(3) * 5 + 1, atol=1e-9)
    for k in range(3):
        np.testing.assert_allclose(debiased.covariance(k).numpy(), 0, atol=1e-8)
        np.testing.assert_allclose(
            debiased.second(k).numpy(), 60 * np.outer(*[debiased.means[k].numpy()] * 2), atol=1e-6
        )


def test_moments_stay_where_the_transition_is_near_singular_and_covariances_positive() -> None:
    given = moments_of(X, Y)
    same = DebiasedMoments(given, uniform_transition(0.99, 10))
    torch.testing.assert_close(same.means, given.means)
    debiased = DebiasedMoments(given, uniform_transition(0.9, 10))
    for k in range(10):
        assert float(torch.linalg.eigvalsh(debiased.covariance(k)).min()) > -1e-6


def test_a_debiased_decoder_is_the_same_from_points_and_moments_and_may_be_told() -> None:
    told = uniform_transition(0.5, 10)
    decoder = Debiased(RDA(0.5, 0.5))
    by_points = clone(decoder).fit(X, Y, transition=told)
    by_moments = clone(decoder).fit_moments(moments_of(X, Y), transition=told)
    by_rate = clone(decoder).set_params(rate=0.5).fit(X, Y)
    assert (by_points.predict(TEST) == by_moments.predict(TEST)).all()
    assert (by_points.predict(TEST) == by_rate.predict(TEST)).all()
    assert (by_points.predict(TEST) != clone(decoder).fit(X, Y).predict(TEST)).any()
