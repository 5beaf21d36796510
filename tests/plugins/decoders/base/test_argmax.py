"""The highest score wins, and a score that is no number is never taken for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from memgen_plugins.decoders.base.argmax import LinearScores, MomentClassifier
from memgen_plugins.decoders.layer.subspace import MASC, VeLPIC

if TYPE_CHECKING:
    from memgen_bench.toolkit.decoders import Moments

POINTS = np.array([[0.0, 1], [0, 2], [3, 0], [4, 1]])
LABELS = np.array([0, 0, 1, 1])


class Broken(LinearScores, MomentClassifier):
    """A decoder whose factorisation answered with NaN for its second class."""

    def _fit(self, moments: Moments) -> None:
        coef = moments.means.clone()
        coef[1] = np.nan
        self._set(coef)


@pytest.mark.parametrize("method", ["predict", "decision_function"])
def test_scores_that_are_nan_fail_and_name_the_decoder(method: str) -> None:
    fitted = Broken().fit(POINTS, LABELS)
    with pytest.raises(FloatingPointError, match="Broken scored some points with NaN"):
        getattr(fitted, method)(POINTS)


@pytest.mark.parametrize("decoder", [MASC(), VeLPIC()])
def test_axes_that_are_nan_fail_instead_of_giving_every_point_one_class(
    decoder: MomentClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nan(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full_like(matrix[0], np.nan), torch.full_like(matrix, np.nan)

    monkeypatch.setattr("memgen_bench.decode.moments.eigh_each", lambda each: [*map(nan, each)])
    with pytest.raises((FloatingPointError, ValueError)):
        decoder.fit(POINTS, LABELS).predict(POINTS)
