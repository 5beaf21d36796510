"""Points that a decoder writes to are not what others are given, and it is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers.nearest_decoder import (
    LABELS,
    TEST,
    TRAIN,
    VALIDATION,
    Nearest,
    predicted,
    raise_,
    run,
    spec,
)
from memgen_bench import NotApplicable
from memgen_bench.decode.decoding import CHANGED, Outcome


class Overwrites(Nearest):
    """Writes to what it is given at one place."""

    where = "fit"

    def fit(self, X: Any, y: Any, **needs: Any) -> Nearest:
        super().fit(np.array(X), np.array(y))
        if self.where == "validation":
            X = needs["validation"][0]
        if self.where in ("fit", "validation"):
            X[:3] = 0
        return self

    def predict(self, X: Any) -> Any:
        labels = super().predict(np.array(X))
        if self.where == "predict":
            X[:3] = 0
        return labels


@pytest.mark.parametrize("where", ["fit", "predict", "validation"])
def test_arrays_cannot_be_written_to(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Overwrites, "where", where)
    before = [subset.copy() for subset in (TRAIN, VALIDATION, TEST)]
    outcome = run(spec(Overwrites, needs=("validation",)))
    assert (outcome.status, outcome.error_type) == ("failed", "error")
    assert "read-only" in str(outcome.message)
    assert CHANGED in str(outcome.message)
    assert "work on a copy" in CHANGED
    for subset, kept in zip((TRAIN, VALIDATION, TEST), before, strict=True):
        assert (subset == kept).all()
        assert subset.flags.writeable  # only the decoder's views are not


@pytest.mark.parametrize("where", ["fit", "predict", "validation"])
@pytest.mark.parametrize("then_fails", [False, True])
def test_tensors_that_were_written_to_are_reported(
    where: str, then_fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Careless(Overwrites):
        def predict(self, X: Any) -> Any:
            labels = super().predict(X)
            return raise_(NotApplicable("too late")) if then_fails else labels

    monkeypatch.setattr(Overwrites, "where", where)
    outcome = run(
        spec(Careless, arrays="torch", needs=("validation",)),
        TRAIN.copy(),
        VALIDATION.copy(),
        TEST.copy(),
    )
    assert outcome == Outcome(status="failed", error_type="error", message=CHANGED, spoilt=True)


def test_a_tensor_that_is_only_read_counts_as_unchanged() -> None:
    class Reads(Nearest):
        def fit(self, X: Any, y: Any, **needs: Any) -> Nearest:
            spoilt = X.clone().mul_(0)
            assert not spoilt.any()
            X.view(-1).sum(), X.T @ X, X[3:].double().add_(1)
            return super().fit(X.numpy(), y.numpy())

        def predict(self, X: Any) -> Any:
            return super().predict(X.numpy())

    assert (predicted(run(spec(Reads, arrays="torch"))).test == LABELS).all()
