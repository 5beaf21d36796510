"""All layers at once, weighted by what each of them is good for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from helpers.noisy_digits import HELD, HELD_TRUE, HELD_Y, TEST, TEST_TRUE, X, Y
from memgen_plugins.decoders.layer.gaussian import ShrunkLDA
from memgen_plugins.decoders.network.ensembles import LayerEnsemble, pool

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
