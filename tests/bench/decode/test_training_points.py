"""Training points of one layer, as they come batch by batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.reading_lab import CPU
from memgen_bench.decode.moments import Labelling
from memgen_bench.decode.scratch import Scratch
from memgen_bench.decode.training_points import TrainingPoints
from memgen_bench.plan.plan import Layer


def training_points(form: str, *, stored: bool, sample: np.ndarray) -> TrainingPoints:
    y = np.arange(12) % 2
    return TrainingPoints(
        Layer(name="fc", index=0, depth=0, dim=3, width=3),
        count=12,
        sample=sample,
        num_classes=2,
        stored=stored,
        labellings={None: Labelling({"true": y}, frozenset({"true"}))},
        device=CPU,
        scratch=Scratch(),
    )


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_point_that_is_not_finite_is_enough(form: str, stored: bool, value: float) -> None:
    sample = np.array([0, 4, 5, 11])
    fine = training_points(form, stored=stored, sample=sample)
    broken = training_points(form, stored=stored, sample=sample)
    rows = torch.arange(36.0).view(12, 3)
    for batch in torch.split(rows, 5):
        fine.add(batch)
    assert fine.finite
    rows = rows.clone()
    rows[7, 1] = value  # a point that is not in the sample
    for batch in torch.split(rows, 5):
        broken.add(batch)
    assert not broken.finite
    assert (fine.sample() == np.arange(36).reshape(12, 3)[sample]).all()
