"""The best of several decoders on several layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from helpers.noisy_digits import HELD, HELD_Y, TEST, X, Y
from memgen_bench import NotApplicable, build_decoder
from memgen_plugins.decoders.layer.centroid import CosineCentroid
from memgen_plugins.decoders.layer.gaussian import ShrunkLDA
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors
from memgen_plugins.decoders.network.members import BestMember

pytestmark = pytest.mark.usefixtures("one_thread")

MEMBERS = [("ncm", CosineCentroid()), ("lda", ShrunkLDA()), ("knn", CosineNeighbors(50))]


def _layers(points: np.ndarray) -> dict[str, np.ndarray]:
    return {"half": points[:, ::2], "all": points, "few": points[:, 20:28]}


def test_the_best_on_noisy_validation_is_what_fitting_each_alone_finds() -> None:
    found = BestMember(MEMBERS).fit(_layers(X), Y, validation=(_layers(HELD), HELD_Y))
    accuracies: dict[tuple[str, str], float] = {}
    predictions = {}
    for layer in _layers(X):
        for name, estimator in MEMBERS:
            alone: Any = type(estimator)(**estimator.get_params()).fit(_layers(X)[layer], Y)
            accuracies[name, layer] = np.mean(alone.predict(_layers(HELD)[layer]) == HELD_Y)
            predictions[name, layer] = alone.predict(_layers(TEST)[layer])
    best = max(accuracies, key=lambda each: accuracies[each])
    assert found.chosen_ == {"decoder": best[0], "layer": best[1]}
    assert (found.predict(_layers(TEST)) == predictions[best]).all()


def test_validation_points_are_predicted_by_the_best_on_the_other_folds() -> None:
    layers = {"half": X[:, ::2], "all": X}
    held = {"half": HELD[:, ::2], "all": HELD}
    found = BestMember(MEMBERS).fit(layers, Y, validation=(held, HELD_Y))
    predicted = [
        clone(estimator).fit(layers[layer], Y).predict(held[layer])
        for layer in layers
        for _, estimator in MEMBERS
    ]
    for fold in range(5):
        inside = np.arange(len(HELD_Y)) % 5 == fold
        best = max(predicted, key=lambda own: np.sum((own == HELD_Y)[~inside]))
        assert (found.validation_predictions_[inside] == best[inside]).all()


def test_what_the_chosen_decoder_chose_is_told_too() -> None:
    ridge = [("ridge-tuned", build_decoder("ridge-tuned"))]
    found = BestMember(ridge).fit({"all": X}, Y, validation=({"all": HELD}, HELD_Y))
    assert found.chosen_ == {"decoder": "ridge-tuned", "layer": "all", **found.member_.chosen_}
    assert "alpha" in found.chosen_


def test_who_does_not_apply_is_left_out_and_if_nobody_does_it_is_said() -> None:
    class Silent:
        """A decoder without moments that does not apply."""

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            return {}

        def fit(self, X: Any, y: Any) -> Any:
            raise NotApplicable("it never applies")

    held = ({"all": HELD}, HELD_Y)
    members = [("never", Silent()), ("ncm", CosineCentroid()), ("again", Silent())]
    assert BestMember(members).fit({"all": X}, Y, validation=held).chosen_["decoder"] == "ncm"
    with pytest.raises(NotApplicable, match="it never applies"):
        BestMember([("never", Silent())]).fit({"all": X}, Y, validation=held)
