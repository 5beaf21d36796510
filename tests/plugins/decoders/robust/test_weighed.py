"""Training points count less the more of their given labels their activations carry."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import oas

from memgen_bench import load_registry
from memgen_bench.toolkit.decoders import moments_of
from memgen_plugins.decoders.layer.gaussian import LDA, ShrunkLDA
from memgen_plugins.decoders.robust.weighed import Weighed, WeighedMoments

RNG = np.random.default_rng(0)
COUNT, CLASSES = 600, 3
TRUE = np.arange(COUNT) % CLASSES
GIVEN = np.where(RNG.random(COUNT) < 0.6, RNG.integers(CLASSES, size=COUNT), TRUE)
NEW = np.arange(COUNT) >= 450
MEANING = np.eye(CLASSES)[TRUE] * 1.5 + RNG.standard_normal((COUNT, CLASSES))
TEST_X = (np.eye(CLASSES)[TRUE] * 1.5 + RNG.standard_normal((COUNT, CLASSES))).astype(np.float32)


def points(carried: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return points of which training points carry their given label, more or less."""
    label = carried * np.eye(CLASSES)[GIVEN] * ~NEW[:, None]
    return (MEANING + label).astype(np.float32)


def test_whole_weights_are_repeated_points() -> None:
    x = points(0)
    often = np.concatenate([x[~NEW], x[~NEW], x[~NEW], x[NEW]])
    labels = np.concatenate([GIVEN[~NEW]] * 3 + [GIVEN[NEW]])
    whole = moments_of(often, labels)
    found = WeighedMoments(
        [(3.0, moments_of(x[~NEW], GIVEN[~NEW])), (1.0, moments_of(x[NEW], GIVEN[NEW]))]
    )
    np.testing.assert_allclose(found.counts, whole.counts)
    np.testing.assert_allclose(found.means, whole.means)
    np.testing.assert_allclose(found.within(), whole.within(), rtol=1e-6)
    np.testing.assert_allclose(found.total(), whole.total(), rtol=1e-6)


def test_a_class_may_be_in_one_part_alone() -> None:
    x, some = points(0), GIVEN != 2
    parts = [(0.5, moments_of(x[some], GIVEN[some])), (1.0, moments_of(x[~some], GIVEN[~some]))]
    found = WeighedMoments(parts)
    assert found.classes.tolist() == [0, 1, 2]
    counts = np.bincount(GIVEN) * np.array([0.5, 0.5, 1.0])
    np.testing.assert_allclose(found.counts, counts)
    np.testing.assert_allclose(found.means, moments_of(x, GIVEN).means)


def test_the_weight_falls_with_what_is_carried_to_that_of_held_out_points_alone() -> None:
    weights = [
        Weighed(ShrunkLDA()).fit(points(carried), GIVEN, held_out=NEW).weight_
        for carried in (0.0, 2.0, 4.0, 50.0)
    ]
    assert weights[0] > 0.9
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] == 0
    alone = ShrunkLDA().fit(points(50)[NEW], GIVEN[NEW]).predict(TEST_X)
    found = Weighed(ShrunkLDA()).fit(points(50), GIVEN, held_out=NEW).predict(TEST_X)
    assert (found == alone).all()


def test_it_reads_more_than_either_where_labels_are_carried() -> None:
    x = points(2.0)
    weighed = Weighed(LDA()).fit(x, GIVEN, held_out=NEW)
    accuracies = [
        np.mean(decoder.predict(TEST_X) == TRUE)
        for decoder in (weighed, LDA().fit(x[~NEW], GIVEN[~NEW]))
    ]
    assert accuracies[0] > accuracies[1]


@pytest.mark.parametrize("new", [None, NEW | True, NEW & False])
def test_without_two_kinds_of_points_all_count_alike(new: np.ndarray | None) -> None:
    fitted = Weighed(ShrunkLDA()).fit(points(2), GIVEN, held_out=new)
    assert fitted.weight_ == 1
    assert (fitted.predict(TEST_X) == ShrunkLDA().fit(points(2), GIVEN).predict(TEST_X)).all()


def test_the_weight_is_that_of_its_definition() -> None:
    x, weight = points(2.0), Weighed(ShrunkLDA()).fit(points(2.0), GIVEN, held_out=NEW).weight_
    seen = np.flatnonzero(~NEW)
    shares = []
    for fitted, left in ((seen[::2], seen[1::2]), (seen[1::2], seen[::2])):
        decoder = _lda(x[fitted].astype(float), GIVEN[fitted])
        shares.append(
            [np.mean(decoder(x[rows]) == GIVEN[rows]) for rows in (left, np.flatnonzero(NEW))]
        )
    a, b = np.mean(shares, axis=0)
    assert weight == pytest.approx(1 - (a - b) / (1 - b), abs=0.02)


def _lda(x: np.ndarray, y: np.ndarray):  # type: ignore[no-untyped-def]
    means = np.stack([x[y == k].mean(axis=0) for k in range(CLASSES)])
    shrunk = [oas(x[y == k])[0] for k in range(CLASSES)]
    weights = np.bincount(y) / len(y)
    inverse = np.linalg.inv(sum(w * c for w, c in zip(weights, shrunk, strict=True)))
    offset = np.log(weights) - 0.5 * np.einsum("kd,de,ke->k", means, inverse, means)
    return lambda new: (new @ inverse @ means.T + offset).argmax(axis=1)


def test_by_name_it_asks_which_points_are_held_out() -> None:
    spec = load_registry().decoders.find("lda-weighed@both")
    assert (spec.name, spec.needs, spec.fitted_on) == ("lda-weighed", ("held_out",), "both")
