"""Decoders for noisy labels against scikit-learn's, cleanlab's, or their textbook definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.covariance import OAS
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.neighbors import kneighbors_graph
from torch import nn

from memgen_bench import NotApplicable
from memgen_bench.decode.moments import moments_of
from memgen_bench.plugin.training_record import TrainingRecord
from memgen_plugins.decoders.layer.centroid import CosineCentroid, EuclideanCentroid
from memgen_plugins.decoders.layer.fisher import FisherSubspace
from memgen_plugins.decoders.layer.gaussian import RDA, Mahalanobis, ShrunkLDA
from memgen_plugins.decoders.layer.graph import LabelSpreading
from memgen_plugins.decoders.layer.linear import LogisticRegression
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors
from memgen_plugins.decoders.layer.subspace import MASC, VeLPIC
from memgen_plugins.decoders.layer.whitened import WhitenedMASC
from memgen_plugins.decoders.network.early_stopping import BestEpoch, EarlyStopped
from memgen_plugins.decoders.network.ensembles import LayerEnsemble, pool
from memgen_plugins.decoders.network.weight_edit import WeightEdit
from memgen_plugins.decoders.robust.cleaning import FINE, NeighborFilter, Trimmed, issues
from memgen_plugins.decoders.robust.corrected import (
    BackwardLogisticRegression,
    ForwardLogisticRegression,
)
from memgen_plugins.decoders.robust.debiased import Debiased, DebiasedMoments
from memgen_plugins.decoders.robust.tuned import Tuned
from memgen_plugins.noises import pair_transition, uniform, uniform_transition

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("one_thread")

DIGITS = load_digits()
X, TEST, HELD = (DIGITS.data[a:b] for a, b in ((0, 700), (700, 1300), (1300, 1797)))
TRUE, HELD_TRUE, TEST_TRUE = DIGITS.target[:700], DIGITS.target[1300:], DIGITS.target[700:1300]
Y, HELD_Y = (uniform(y, 0.5, 10, np.random.default_rng(3)) for y in (TRUE, HELD_TRUE))


def agree(ours: Any, reference: Any) -> None:
    assert np.mean(ours.predict(TEST) == reference.predict(TEST)) >= 0.998


# Gaussians


@pytest.mark.parametrize("shrinkage", [0.1, 0.8])
def test_rda_is_between_scikit_learns_two(shrinkage: float) -> None:
    linear = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    quadratic = QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=shrinkage, tol=0.0)
    agree(RDA(1, shrinkage).fit(X, Y), linear.fit(X, Y))
    agree(RDA(0, shrinkage).fit(X, Y), quadratic.fit(X, Y))


def test_rda_follows_its_definition() -> None:
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


def test_the_fisher_subspace_solves_the_generalised_eigenproblem() -> None:
    shared = sum(np.mean(k == Y) * OAS().fit(X[k == Y]).covariance_ for k in range(10))
    means = np.stack([X[k == Y].mean(axis=0) for k in range(10)]) - X.mean(axis=0)
    between = (means.T * np.bincount(Y)) @ means / len(Y)
    _, vectors = scipy.linalg.eigh(between, shared)
    expected = (TEST - X.mean(axis=0)) @ vectors[:, ::-1][:, :9]
    fitted = FisherSubspace(EuclideanCentroid()).fit(X, Y)
    found = (TEST - fitted.mean_) @ fitted.axes_
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-5)
    assert np.mean(fitted.predict(TEST) == Mahalanobis().fit(X, Y).predict(TEST)) >= 0.995
    reference = LinearDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS()).fit(X, Y)
    np.testing.assert_allclose(reference.covariance_, shared)  # of its own scatter between them


def test_whitening_leaves_the_directions_in_which_a_class_stands_out() -> None:
    fitted = WhitenedMASC(3, 0.2).fit(X, Y)
    everything = X.T @ X / len(X)
    everything = 0.8 * everything + 0.2 * np.trace(everything) / 64 * np.eye(64)
    root = np.linalg.inv(scipy.linalg.sqrtm(everything).real)
    scores = []
    for k in range(10):
        _, axes = np.linalg.eigh(root @ (X[k == Y].T @ X[k == Y] / np.sum(k == Y)) @ root)
        scores.append(((TEST @ root @ axes[:, -3:]) ** 2).sum(axis=1))
    assert np.mean(fitted.predict(TEST) == np.argmax(scores, axis=0)) >= 0.998


def test_a_class_has_no_more_whitened_axes_than_its_points_span() -> None:
    points = np.random.default_rng(0).standard_normal((10, 40)).astype(np.float32)
    for count in (1, 2, 8):
        fitted = WhitenedMASC(count).fit(points, np.arange(10))
        assert fitted.components_.shape == (10 * count, 40)
        assert (fitted.predict(points) == np.arange(10)).all()


# moments without the noise


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


# parameters chosen on noisy validation labels


def test_the_parameters_chosen_are_the_best_on_validation_and_nothing_else() -> None:
    grid = {"n_neighbors": (1, 5, 25, 125)}
    fitted = Tuned(CosineNeighbors(), grid).fit(X, Y, validation=(HELD, HELD_Y))
    accuracies = {
        k: np.mean(CosineNeighbors(k).fit(X, Y).predict(HELD) == HELD_Y) for k in (1, 5, 25, 125)
    }
    assert fitted.chosen_ == {"n_neighbors": max(accuracies, key=lambda k: accuracies[k])}
    agree(fitted, CosineNeighbors(**fitted.chosen_).fit(X, Y))
    other = Tuned(CosineNeighbors(), grid).fit(X, Y, validation=(X, Y))
    assert other.chosen_ == {"n_neighbors": 1}
    agree(Tuned(CosineNeighbors(7), grid).fit(X, Y), CosineNeighbors(7).fit(X, Y))


def test_parameters_are_chosen_from_moments_as_from_points() -> None:
    grid = {"variance": (0.3, 0.9)}
    tuned = Tuned(MASC(), grid).fit_moments(moments_of(X, Y), validation=(HELD, HELD_Y))
    agree(tuned, Tuned(MASC(), grid).fit(X, Y, validation=(HELD, HELD_Y)))
    assert not hasattr(Tuned(CosineNeighbors(), grid), "fit_moments")


def test_parameters_that_do_not_apply_are_passed_over() -> None:
    flat = np.ones((6, 2))
    with pytest.raises(NotApplicable):
        Tuned(ShrunkLDA(), {}).fit(flat, [0, 0, 0, 1, 1, 1], validation=(flat, np.zeros(6)))


# graphs


def test_spreading_ends_at_its_closed_form() -> None:
    fitted = LabelSpreading(n_neighbors=7, alpha=0.8).fit(X, Y)
    adjacency = kneighbors_graph(X, 7, metric="cosine").toarray()
    adjacency = np.maximum(adjacency, adjacency.T)
    degree = adjacency.sum(axis=1)
    smooth = adjacency / np.sqrt(np.outer(degree, degree))
    expected = 0.2 * np.linalg.solve(np.eye(len(X)) - 0.8 * smooth, np.eye(10)[Y])
    np.testing.assert_allclose(fitted.scores_, expected, atol=1e-4)
    assert np.mean(fitted.predict(TEST) == TEST_TRUE) > 0.9  # half of the labels were redrawn
    nothing = LabelSpreading(n_neighbors=7, alpha=0.0).fit(X, Y)
    agree(nothing, CosineNeighbors(7).fit(X, Y))


def test_what_wins_the_vote_of_its_neighbours_is_kept() -> None:
    fitted = NeighborFilter(CosineCentroid(), n_neighbors=9).fit(X, Y)
    graph = kneighbors_graph(X, 9, metric="cosine").toarray()
    expected = (graph @ np.eye(10)[Y]).argmax(axis=1) == Y
    assert np.mean(fitted.kept_ == expected) > 0.995
    assert np.mean(Y[fitted.kept_] == TRUE[fitted.kept_]) > np.mean(Y == TRUE) + 0.3
    agree(fitted, CosineCentroid().fit(X[fitted.kept_], Y[fitted.kept_]))


# cleaning


def test_a_class_that_would_lose_all_its_points_keeps_them() -> None:
    points = np.array([[1.0, 0], [1, 0.1], [1, 0.2], [1, 0.1], [0.9, 0.1]])
    fitted = NeighborFilter(CosineCentroid(), n_neighbors=3).fit(points, [0, 0, 0, 0, 1])
    assert fitted.kept_.all()


def test_fine_keeps_what_lies_along_its_classs_first_axis() -> None:
    fitted = FINE(CosineCentroid()).fit(X, Y)
    for k in range(10):
        points = X[k == Y]
        axis = np.linalg.eigh(points.T @ points)[1][:, -1]
        scores = (points @ axis) ** 2 / (points**2).sum(axis=1)
        kept = fitted.kept_[k == Y]
        assert scores[kept].min() > scores[~kept].max()  # two heaps on a line
    assert np.mean(Y[fitted.kept_] == TRUE[fitted.kept_]) > np.mean(Y == TRUE)


@pytest.mark.parametrize("certainty", [0.5, 0.1])
def test_confident_learning_finds_cleanlabs_issues_where_the_likeliest_class_is_confident(
    certainty: float,
) -> None:
    cleanlab = pytest.importorskip("cleanlab.filter")
    rng = np.random.default_rng(0)
    levels = np.linspace(0.2, 2, 10)  # classes of which some are thought likelier than others
    probabilities = (1 - certainty) * rng.dirichlet(levels, size=len(Y))
    probabilities += certainty * np.eye(10)[TRUE]
    theirs = cleanlab.find_label_issues(Y, probabilities, filter_by="confident_learning", n_jobs=1)
    thresholds = np.array([probabilities[k == Y, k].mean() for k in range(10)])
    likeliest = probabilities.argmax(axis=1)
    confident = probabilities.max(axis=1) >= thresholds[likeliest]
    ours = issues(Y, probabilities)
    assert (ours == theirs)[confident].all()
    assert not theirs[likeliest == Y].any()
    assert 0.2 < theirs.mean() < 0.9


def test_trimming_is_a_step_of_concentration() -> None:
    """It cannot raise the determinant (Rousseeuw & Van Driessen 1999), and drops what is far."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.standard_normal((200, 3)), 9 + rng.standard_normal((40, 3))])
    fitted = Trimmed(CosineCentroid(), share=0.7).fit(points, np.zeros(240, int))
    assert fitted.kept_.sum() == 168
    assert not fitted.kept_[200:].any()
    spread = [np.linalg.det(np.cov(of.T, bias=True)) for of in (points, points[fitted.kept_])]
    assert spread[1] < spread[0]


# losses


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


# all layers at once


def test_the_weights_of_layers_are_the_likeliest_and_useless_layers_get_none() -> None:
    rng, labels = np.random.default_rng(0), HELD_TRUE
    good, noise = np.eye(10)[labels] * 3 + rng.standard_normal((len(labels), 10)), 0
    noise = rng.standard_normal(good.shape)
    weights = pool(np.stack([good, noise, -good]), labels)
    assert weights[0] > 0.5
    assert weights[1] < 0.2
    assert weights[2] == 0

    def loss(w: float) -> float:
        return float(-log_softmax(w * good, axis=1)[np.arange(len(labels)), labels].mean())

    alone = float(pool(good[None], labels)[0])
    assert loss(alone) <= min(loss(alone * 1.2), loss(alone * 0.8))


def test_an_ensemble_adds_up_weighted_scores() -> None:
    rng = np.random.default_rng(0)
    layers = {"good": X, "noise": rng.standard_normal(X.shape)}
    held = {"good": HELD, "noise": rng.standard_normal(HELD.shape)}
    tests = {"good": TEST, "noise": rng.standard_normal(TEST.shape)}
    plain = LayerEnsemble(ShrunkLDA()).fit(layers, Y)
    assert plain.chosen_ == {"good": 1.0, "noise": 1.0}
    fitted = LayerEnsemble(ShrunkLDA()).fit(layers, Y, validation=(held, HELD_Y))
    assert fitted.chosen_["good"] > 3 * fitted.chosen_["noise"]
    alone = ShrunkLDA().fit(X, Y).predict(TEST)
    assert np.mean(fitted.predict(tests) == alone) > 0.95
    assert np.mean(plain.predict(tests) == TEST_TRUE) < np.mean(fitted.predict(tests) == TEST_TRUE)


def test_an_edited_network_reads_out_what_its_new_vectors_say() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    points, test = (torch.from_numpy(of).float() for of in (X, TEST))

    def layers(of: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            hidden = network[:2](of)
            return {"1": hidden, "logits": network[2](hidden)}

    labels = torch.from_numpy(np.where(Y == 4, 5, Y))  # nothing of class 4
    for build in (VeLPIC, CosineCentroid, ShrunkLDA):
        fitted = WeightEdit(build()).fit(layers(points), labels, network=network)
        alone = build().fit(layers(points)["1"], labels).predict(layers(test)["1"])
        assert np.mean(fitted.predict(layers(test)) == alone) > 0.995
        assert 4 not in fitted.predict(layers(test))
    other = layers(points) | {"logits": torch.ones(len(X), 10)}
    with pytest.raises(NotApplicable, match="does not make logits of 1"):
        WeightEdit(VeLPIC()).fit(other, labels, network=network)


def test_epochs_are_recalled_from_the_record_of_the_training() -> None:
    record = TrainingRecord(
        best_validation_epoch=3,
        best_validation_predictions=[1, 2],
        best_test_epoch=5,
        best_test_predictions=[2, 2],
    )
    assert EarlyStopped().recall(record) == (3, [1, 2])
    assert BestEpoch().recall(record) == (5, [2, 2])
    with pytest.raises(NotApplicable, match="validation_fraction"):
        EarlyStopped().recall(TrainingRecord(best_test_epoch=1))
