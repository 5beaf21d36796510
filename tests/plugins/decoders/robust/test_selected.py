"""Points are chosen by how they were learned, and the decoder that follows is fitted on these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from memgen_bench import Trajectory, UsageError, load_registry
from memgen_plugins.decoders.layer.centroid import CosineCentroid
from memgen_plugins.decoders.layer.gaussian import ShrunkLDA
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors
from memgen_plugins.decoders.robust.selected import AreaUnderMargin, EarlyLoss, largest

DECODERS = load_registry().decoders
RNG = np.random.default_rng(0)
COUNT, CLASSES = 400, 4
TRUE = np.arange(COUNT) % CLASSES
X = (np.eye(CLASSES)[TRUE] * 2 + RNG.standard_normal((COUNT, CLASSES))).astype(np.float32)
GIVEN = np.where(RNG.random(COUNT) < 0.6, RNG.integers(CLASSES, size=COUNT), TRUE)
RIGHT = GIVEN == TRUE
NEW = RNG.permutation(COUNT)
TEST_X = (np.eye(CLASSES)[TRUE] * 2 + RNG.standard_normal((COUNT, CLASSES))).astype(np.float32)


def trajectory(early_margin: Any, early_loss: Any = None, margin: Any = None) -> Trajectory:
    def numbers(values: Any) -> Any:
        return np.asarray(early_margin if values is None else values, np.float32)

    epochs = np.ones(COUNT, np.int32)
    return Trajectory(
        margin=numbers(margin),
        loss=numbers(None),
        early_margin=numbers(early_margin),
        early_loss=numbers(early_loss),
        first_learned=epochs,
        last_forgotten=epochs,
    )


def test_a_share_of_each_class_is_kept_that_with_the_largest_margins() -> None:
    scores, index = np.array([3.0, 1, 2, 9, 8, 7, 7]), np.array([0, 0, 0, 1, 1, 1, 1])
    assert largest(scores, index, 0.5).tolist() == [True, False, True, True, True, False, False]
    assert largest(scores, index, 0.6).tolist() == [True, False, True, True, True, True, False]
    assert largest(scores, index, 1e-9).sum() == 2
    assert largest(scores, index, 1.0).all()


@pytest.mark.parametrize("early", [True, False])
def test_the_decoder_inside_is_fitted_on_the_points_with_the_largest_area(early: bool) -> None:
    own, other = RIGHT + 0.0, RNG.random(COUNT)
    given = trajectory(own if early else other, margin=other if early else own)
    fitted = AreaUnderMargin(ShrunkLDA(), share=0.3, early=early).fit(X, GIVEN, trajectory=given)
    assert RIGHT[fitted.kept_].all()
    for label in range(CLASSES):
        own = np.flatnonzero(label == GIVEN)
        assert fitted.kept_[own].sum() == np.ceil(0.3 * len(own))
    by_hand = ShrunkLDA().fit(X[fitted.kept_], GIVEN[fitted.kept_])
    assert (fitted.predict(TEST_X) == by_hand.predict(TEST_X)).all()


def test_the_share_is_the_one_that_is_best_on_noisy_validation() -> None:
    given = trajectory(RIGHT - 0.5 + 0.1 * RNG.random(COUNT))
    validation = (TEST_X, np.where(RNG.random(COUNT) < 0.3, 0, TRUE))
    fitted = AreaUnderMargin(CosineNeighbors(1)).fit(
        X, GIVEN, trajectory=given, validation=validation
    )
    accuracies = {
        share: float(
            np.mean(
                AreaUnderMargin(CosineNeighbors(1), share=share)
                .fit(X, GIVEN, trajectory=given)
                .predict(TEST_X)
                == validation[1]
            )
        )
        for share in (0.7, 0.3, 0.5, 0.9)
    }
    assert fitted.chosen_ == {"share": max(accuracies, key=lambda share: accuracies[share])}
    assert accuracies[fitted.chosen_["share"]] > accuracies[0.9]
    alone = AreaUnderMargin(CosineNeighbors(1)).fit(X, GIVEN, trajectory=given)
    assert alone.chosen_ == {"share": 0.7}


def test_early_losses_are_parted_where_two_known_gaussians_are_as_likely() -> None:
    losses = np.where(RIGHT, RNG.normal(0.5, 0.2, COUNT), RNG.normal(2.5, 0.5, COUNT))
    fitted = EarlyLoss(CosineCentroid()).fit(X, GIVEN, trajectory=trajectory(RIGHT, losses))
    share = RIGHT.mean()
    likelier = share * norm.pdf(losses, 0.5, 0.2) > (1 - share) * norm.pdf(losses, 2.5, 0.5)
    assert np.mean(fitted.kept_ == likelier) > 0.98
    assert np.mean(fitted.kept_ == RIGHT) > 0.98


def test_the_mixture_of_a_networks_losses_is_found_once_for_all_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses = np.where(RIGHT, 0.5, 2.5) + RNG.random(COUNT)
    fitted = [
        EarlyLoss(CosineCentroid()).fit(layer, GIVEN, trajectory=trajectory(RIGHT, losses)).kept_
        for layer in (X, X + 1)
    ]
    assert (fitted[0] == fitted[1]).all()
    monkeypatch.delattr("memgen_plugins.decoders.robust.selected.GaussianMixture")
    again = EarlyLoss(CosineCentroid()).fit(X, GIVEN, trajectory=trajectory(RIGHT, losses))
    assert (again.kept_ == fitted[0]).all()
    with pytest.raises(NameError):  # of other losses it is another one
        EarlyLoss(CosineCentroid()).fit(X, GIVEN, trajectory=trajectory(RIGHT, losses + 1))


def test_a_class_that_would_lose_all_its_points_keeps_them() -> None:
    losses = np.where(GIVEN == 0, 5.0, 1.0) + 0.01 * RNG.random(COUNT)
    fitted = EarlyLoss(CosineCentroid()).fit(X, GIVEN, trajectory=trajectory(RIGHT, losses))
    assert fitted.kept_[GIVEN == 0].all()
    assert set(fitted.classes_) == set(range(CLASSES))


@pytest.mark.parametrize("build", [AreaUnderMargin, EarlyLoss])
def test_without_a_trajectory_or_with_equal_numbers_nothing_is_lost(build: Any) -> None:
    assert build(CosineCentroid()).fit(X, GIVEN).kept_.all()
    assert EarlyLoss(CosineCentroid()).fit(X, GIVEN, trajectory=trajectory(TRUE * 0)).kept_.all()


def test_tensors_give_what_arrays_give() -> None:
    given = trajectory(RIGHT + RNG.random(COUNT))
    arrays = AreaUnderMargin(ShrunkLDA(), share=0.5).fit(X, GIVEN, trajectory=given)
    tensors = AreaUnderMargin(ShrunkLDA(), share=0.5).fit(
        torch.from_numpy(X), torch.from_numpy(GIVEN), trajectory=given
    )
    assert (arrays.predict(TEST_X) == tensors.predict(torch.from_numpy(TEST_X))).all()


def test_any_decoder_may_follow_by_name() -> None:
    built: Any = DECODERS.find("aum>rda").build()
    assert (type(built).__name__, type(built.estimator).__name__) == ("AreaUnderMargin", "Tuned")
    assert DECODERS.find("aum>rda").needs == ("trajectory", "validation")
    assert DECODERS.find("early-loss>knn-5").needs == ("trajectory",)  # no search among all points
    assert DECODERS.find("knn-5>early-loss>ncm").needs == ("neighbors", "trajectory")
    row: Any = DECODERS.find("ncm>early-loss>lda-shrunk>knn-5").build()
    names = [type(each).__name__ for each in (row.first.first, row.first.then, row.then)]
    assert names == ["CosineCentroid", "EarlyLoss", "CosineNeighbors"]
    assert type(row.first.then.estimator).__name__ == "ShrunkLDA"
    said = DECODERS.find("aum[share=0.5]>lda-shrunk").build()
    assert said.get_params()["share"] == 0.5  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="both 'aum' and 'early-loss' select points; take one"):
        DECODERS.find("aum>early-loss>ncm")
    assert DECODERS.find("aum>ncm").summary == "ncm on the points that aum selects"


def test_a_row_shows_its_trajectory_to_the_decoder_that_asks() -> None:
    chain: Any = DECODERS.find("ncm>aum[share=0.3]>lda-shrunk").build()
    given = trajectory(RIGHT + 0.0)
    chain.fit(X, GIVEN, trajectory=given)
    relabelled = CosineCentroid().fit(X, GIVEN).predict(X)
    kept = largest(given.early_margin, relabelled, 0.3)
    by_hand = ShrunkLDA().fit(X[kept], relabelled[kept])
    assert (chain.predict(TEST_X) == by_hand.predict(TEST_X)).all()
