"""Parameters are chosen on noisy validation labels."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.noisy_digits import HELD, HELD_Y, X, Y, agree
from memgen_bench import NotApplicable
from memgen_bench.decode.moments import moments_of
from memgen_plugins.decoders.layer.gaussian import ShrunkLDA
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors
from memgen_plugins.decoders.layer.subspace import MASC
from memgen_plugins.decoders.robust.tuned import Tuned

pytestmark = pytest.mark.usefixtures("one_thread")


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
