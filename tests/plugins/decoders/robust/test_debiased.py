"""Moments without the noise are those of the true labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone

from helpers.noisy_digits import HELD, HELD_TRUE, TEST, TEST_TRUE, TRUE, X, Y
from memgen_bench.decode.moments import moments_of
from memgen_plugins.decoders.layer.gaussian import RDA
from memgen_plugins.decoders.robust import debiased
from memgen_plugins.decoders.robust.debiased import Debiased, DebiasedMoments
from memgen_plugins.noises import pair_transition, uniform, uniform_transition

pytestmark = pytest.mark.usefixtures("one_thread")


def test_debiased_moments_are_on_average_those_of_the_true_labels() -> None:
    rng, transition = np.random.default_rng(0), pair_transition(0.3, 10)
    truth, means, within = moments_of(X, TRUE), [], []
    for _ in range(200):
        given = np.array([rng.choice(10, p=transition[label]) for label in TRUE])
        found = DebiasedMoments(moments_of(X, given), transition)
        means.append(found.means.numpy())
        within.append(found.within().trace().item())
    error = np.abs(np.mean(means, axis=0) - truth.means.numpy()).mean()
    biased = np.abs(moments_of(X, given).means.numpy() - truth.means.numpy()).mean()
    assert error < 0.1 * biased
    assert np.mean(within) == pytest.approx(truth.within().trace().item(), rel=0.02)


def test_debiasing_by_the_realised_transition_gives_true_means_where_labels_are_blind() -> None:
    classes = np.repeat(np.arange(3), 60)
    points = np.eye(3)[classes] * 5 + 1  # all points of a class are the same one
    given = uniform(classes, 0.6, 3, np.random.default_rng(0))
    realised = np.stack([np.bincount(given[classes == k], minlength=3) for k in range(3)]) / 60
    found = DebiasedMoments(moments_of(points, given), realised)
    np.testing.assert_allclose(found.means.numpy(), np.eye(3) * 5 + 1, atol=1e-9)
    for k in range(3):
        np.testing.assert_allclose(found.covariance(k).numpy(), 0, atol=1e-8)
        np.testing.assert_allclose(
            found.second(k).numpy(), 60 * np.outer(*[found.means[k].numpy()] * 2), atol=1e-6
        )


def test_moments_stay_where_the_transition_is_near_singular_and_covariances_positive() -> None:
    given = moments_of(X, Y)
    same = DebiasedMoments(given, uniform_transition(0.99, 10))
    torch.testing.assert_close(same.means, given.means)
    found = DebiasedMoments(given, uniform_transition(0.9, 10))
    for k in range(10):
        assert float(torch.linalg.eigvalsh(found.covariance(k)).min()) > -1e-6


def test_a_debiased_decoder_is_the_same_from_points_and_moments_and_may_be_told() -> None:
    told = uniform_transition(0.5, 10)
    decoder = Debiased(RDA(0.5, 0.5))
    by_points = clone(decoder).fit(X, Y, transition=told)
    by_moments = clone(decoder).fit_moments(moments_of(X, Y), transition=told)
    by_rate = clone(decoder).set_params(rate=0.5).fit(X, Y)
    assert (by_points.predict(TEST) == by_moments.predict(TEST)).all()
    assert (by_points.predict(TEST) == by_rate.predict(TEST)).all()
    assert (by_points.predict(TEST) != clone(decoder).fit(X, Y).predict(TEST)).any()


ALL, ALL_TRUE = np.concatenate([X, TEST]), np.concatenate([TRUE, TEST_TRUE])


@pytest.mark.parametrize(("rate", "worse"), [(0.4, 0.01), (0.8, 0.03)])
def test_lda_that_is_told_the_noise_is_as_good_as_lda_that_is_not(
    rate: float, worse: float
) -> None:
    """Under much noise it lost six points by the noise of its own means (and on pixels 18)."""
    told, lda, found = uniform_transition(rate, 10), RDA(1.0, 0.3), []
    for seed in range(8):
        noisy = uniform(ALL_TRUE, rate, 10, np.random.default_rng(seed))
        moments = moments_of(ALL, noisy)
        decoders = [lda, Debiased(lda), Debiased(lda, shrunk=False)]
        fitted = [clone(lda).fit_moments(moments)]
        fitted += [clone(each).fit_moments(moments, transition=told) for each in decoders[1:]]
        found.append([np.mean(each.predict(HELD) == HELD_TRUE) for each in fitted])
    plain, shrunk, unshrunk = np.mean(found, axis=0)
    assert shrunk > plain - worse
    assert shrunk > unshrunk + worse / 2


def test_shrunk_means_are_nearer_to_the_true_ones_where_directions_count_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(debiased, "_positive", lambda matrix: matrix)
    rng, told = np.random.default_rng(0), uniform_transition(0.8, 3)
    true = rng.integers(3, size=3000)
    points = rng.standard_normal((3000, 60)) + 0.1 * rng.standard_normal((3, 60))[true]
    truth = moments_of(points, true).means
    given = moments_of(points, uniform(true, 0.8, 3, rng))
    unshrunk, shrunk = (DebiasedMoments(given, told, shrunk=way) for way in (False, True))
    errors = [float((each.means - truth).square().sum()) for each in (unshrunk, shrunk)]
    assert errors[1] < 0.5 * errors[0]
    torch.testing.assert_close(shrunk.mean(), unshrunk.mean())
    # What was taken from the means is left in the covariances, as the scatter of all points stays.
    torch.testing.assert_close(shrunk.total(), unshrunk.total())
    parts = sum(n * shrunk.covariance(k) for k, n in enumerate(shrunk.counts.tolist()))
    torch.testing.assert_close(parts, shrunk.within())


def test_without_noise_nothing_is_shrunk() -> None:
    given = moments_of(X, Y)
    same = DebiasedMoments(given, np.eye(10), shrunk=True)
    torch.testing.assert_close(same.means, given.means)
    torch.testing.assert_close(same.counts, given.counts.double())
    torch.testing.assert_close(same.within(), given.within(), rtol=1e-6, atol=1e-4)


def test_where_nothing_varies_within_classes_means_stay() -> None:
    given = moments_of(np.eye(3)[[0, 1, 2] * 5], np.array([0, 1, 2] * 5))
    told = uniform_transition(0.5, 3)
    unshrunk, shrunk = (DebiasedMoments(given, told, shrunk=way) for way in (False, True))
    torch.testing.assert_close(shrunk.means, unshrunk.means)


@pytest.mark.parametrize(
    ("shares", "most"), [([0.25, 0.25, 0.25, 0.25], 0.9), ([0.55, 0.15, 0.15, 0.15], 1.0)]
)
def test_counts_are_nearer_to_the_true_ones_than_those_without_bias(
    shares: list[float], most: float
) -> None:
    rng, told, errors = np.random.default_rng(0), uniform_transition(0.8, 4), []
    for _ in range(50):
        true = rng.choice(4, p=shares, size=2000)
        given = uniform(true, 0.8, 4, rng)
        counts = DebiasedMoments(moments_of(np.ones((2000, 1)), given), told).counts.numpy()
        unbiased = np.linalg.inv(told.T) @ np.bincount(given)
        errors.append([np.sum((each - np.bincount(true)) ** 2) for each in (unbiased, counts)])
    unbiased_error, error = np.mean(errors, axis=0)
    assert error < most * unbiased_error
