"""All layers at once, weighted by what each of them is good for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from helpers.noisy_digits import HELD, HELD_TRUE, HELD_Y, TEST, TEST_TRUE, X, Y
from memgen_plugins.decoders.layer.centroid import CosineCentroid
from memgen_plugins.decoders.layer.gaussian import ShrunkLDA
from memgen_plugins.decoders.network.ensembles import LayerEnsemble, Stacked, pool, pool_under_noise

pytestmark = pytest.mark.usefixtures("one_thread")


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


def test_weights_and_the_rate_of_the_noise_are_the_likeliest_together() -> None:
    rng, count, classes = np.random.default_rng(0), 3000, 6
    scores = rng.standard_normal((2, count, classes))
    probabilities = softmax(2.5 * scores[0], axis=1)
    true = (probabilities.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    given = np.where(rng.random(count) < 0.6, rng.integers(classes, size=count), true)
    weights, rate = pool_under_noise(scores, given)

    def loss(w: float, v: float, rho: float) -> float:
        # The forward-corrected likelihood, written out.
        own = softmax(w * scores[0] + v * scores[1], axis=1)[np.arange(count), given]
        penalty = 1e-3 * (w**2 + v**2) / 2
        return float(penalty - np.log((1 - rho) * own + rho / classes).mean())

    found = loss(weights[0], weights[1], rate)
    grid = [
        loss(w, v, rho)
        for w in np.linspace(0, 5, 21)
        for v in (0, 0.1, 0.3)
        for rho in np.linspace(0, 0.95, 20)
    ]
    assert found <= min(grid) + 1e-6
    assert rate == pytest.approx(0.6, abs=0.07)
    assert weights[0] == pytest.approx(2.5, abs=0.5)
    assert weights[1] < 0.2


def test_decoders_and_layers_are_stacked() -> None:
    rng = np.random.default_rng(0)

    def layers(points: np.ndarray) -> dict[str, np.ndarray]:
        return {"good": points, "noise": rng.standard_normal(points.shape)}

    members = [("lda", ShrunkLDA()), ("ncm", CosineCentroid())]
    tests = layers(TEST)
    fitted = Stacked(members).fit(layers(X), Y, validation=(layers(HELD), HELD_Y))
    assert set(fitted.weights_) == {
        f"{name} on {layer}" for name in ("lda", "ncm") for layer in ("good", "noise")
    }
    assert fitted.weights_["lda on good"] > 3 * fitted.weights_["lda on noise"]
    assert fitted.chosen_["rate"] == pytest.approx(fitted.rate_, abs=1e-4)
    assert fitted.chosen_["lda on good"] == fitted.weights_["lda on good"]
    expected: Any = 0
    for name, estimator in members:
        alone = type(estimator)().fit(X, Y).decision_function(TEST)
        alone = alone - alone.mean(axis=1, keepdims=True)
        weight = fitted.weights_[f"{name} on good"] / fitted.scales_[f"{name} on good"]
        expected = expected + weight * alone
    assert np.mean(expected.argmax(axis=1) == fitted.predict(tests)) > 0.97
    assert np.mean(fitted.predict(tests) == TEST_TRUE) > 0.8
    plain = Stacked(members).fit(layers(X), Y)
    assert set(plain.weights_.values()) == {1.0}


def test_validation_points_are_predicted_by_weights_of_the_other_folds() -> None:
    rng = np.random.default_rng(0)
    layers = {"good": X, "noise": rng.standard_normal(X.shape)}
    held = {"good": HELD, "noise": rng.standard_normal(HELD.shape)}
    decoders: tuple[Any, ...] = (LayerEnsemble(ShrunkLDA()), Stacked([("lda", ShrunkLDA())]))
    for decoder in decoders:
        own = decoder.fit(layers, Y, validation=(held, HELD_Y)).validation_predictions_
        scores = np.stack([ShrunkLDA().fit(layers[n], Y).decision_function(held[n]) for n in held])
        scores = scores - scores.mean(axis=2, keepdims=True)
        scores = scores / scores.std(axis=(1, 2), keepdims=True)
        expected = np.empty_like(HELD_Y)
        for fold in range(5):
            inside = np.arange(len(HELD_Y)) % 5 == fold
            others, labels = scores[:, ~inside], HELD_Y[~inside]
            if isinstance(decoder, Stacked):
                weights, _ = pool_under_noise(others, labels)
            else:
                weights = pool(others, labels)
            expected[inside] = np.tensordot(weights, scores[:, inside], axes=1).argmax(axis=1)
        assert np.mean(own == expected) > 0.99
        changed = HELD_Y.copy()
        changed[::5] = (changed[::5] + 1) % 10
        again = decoder.fit(layers, Y, validation=(held, changed)).validation_predictions_
        assert (again[::5] == own[::5]).all()
        alone = decoder.fit(layers, Y)  # nothing of the last fit stays
        assert (alone.validation_predictions_, alone.rate_) == (None, 0)


def test_one_validation_point_is_weighed_by_and_predicted_without_its_label() -> None:
    held = ({"good": HELD[:1]}, HELD_Y[:1])
    for decoder in (LayerEnsemble(ShrunkLDA()), Stacked([("lda", ShrunkLDA())])):
        fitted = decoder.fit({"good": X}, Y, validation=held)
        assert np.isfinite(list(fitted.weights_.values())).all()
        assert fitted.validation_predictions_ == ShrunkLDA().fit(X, Y).predict(HELD[:1])
