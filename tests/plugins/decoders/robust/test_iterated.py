"""Rounds of relabelling against decoders composed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers.noisy_digits import HELD, HELD_Y, TEST, X, Y
from memgen_bench import NotApplicable
from memgen_bench.decode.relabelling import Relabelled
from memgen_plugins.decoders.layer.centroid import CosineCentroid
from memgen_plugins.decoders.layer.gaussian import ShrunkLDA
from memgen_plugins.decoders.robust.iterated import Iterated

pytestmark = pytest.mark.usefixtures("one_thread")


def composed(rounds: int) -> Any:
    """`a>a>…>a`, fitted."""
    built: Any = ShrunkLDA()
    for _ in range(rounds - 1):
        built = Relabelled(built, ShrunkLDA())
    return built.fit(X, Y)


def test_each_round_is_the_decoder_after_itself_and_the_best_on_noisy_validation_is_kept() -> None:
    rounds = [composed(n) for n in range(1, 6)]
    accuracies = [np.mean(each.predict(HELD) == HELD_Y) for each in rounds]
    best = int(np.argmax(accuracies))
    found: Any = Iterated(ShrunkLDA(), rounds=5).fit(X, Y, validation=(HELD, HELD_Y))
    assert found.chosen_ == {"rounds": best + 1}
    assert (found.predict(TEST) == rounds[best].predict(TEST)).all()
    for fold in range(5):
        inside = np.arange(len(HELD)) % 5 == fold
        others = [np.sum((each.predict(HELD) == HELD_Y)[~inside]) for each in rounds]
        expected = rounds[int(np.argmax(others))].predict(HELD)[inside]
        assert (found.validation_predictions_[inside] == expected).all()
    last = found.fit(X, Y)
    assert last.validation_predictions_ is None
    assert (last.predict(TEST) == rounds[last.rounds_ - 1].predict(TEST)).all()


def test_it_ends_where_no_label_changes() -> None:
    found = Iterated(CosineCentroid(), rounds=200).fit(X, Y)
    assert 2 < found.rounds_ < 200
    labels = found.estimator_.predict(X)
    assert (CosineCentroid().fit(X, labels).predict(X) == labels).all()


def test_labels_that_cannot_be_fitted_any_more_end_it() -> None:
    class Once(CosineCentroid):
        """A decoder that applies to given labels only."""

        def fit(self, points: Any, labels: Any) -> Any:
            if (labels != Y).any():
                raise NotApplicable("too few labels")
            return super().fit(points, labels)

    found = Iterated(Once()).fit(X, Y)
    assert found.chosen_ == {"rounds": 1}
    assert (found.predict(TEST) == CosineCentroid().fit(X, Y).predict(TEST)).all()
    with pytest.raises(NotApplicable, match="too few labels"):
        Iterated(Once()).fit(X, (Y + 1) % 10)


def test_no_round_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'rounds' parameter .* Got 0"):
        Iterated(ShrunkLDA(), rounds=0).fit(X, Y)
