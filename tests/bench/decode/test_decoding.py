from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from helpers.nearest_decoder import (
    LABELS,
    MODULE,
    SAMPLE,
    TEST,
    TRAIN,
    VALIDATION,
    K,
    Nearest,
    predicted,
    raise_,
    run,
    spec,
)
from memgen_bench import DecoderSpec, NotApplicable
from memgen_bench.decode.decoding import Predictions, recall, scores
from memgen_bench.decode.moments import moments_of
from memgen_bench.decode.neighbors import Neighbors
from memgen_bench.plugin.training_record import TrainingRecord


def test_an_ok_outcome_holds_predictions_of_all_subsets_and_times() -> None:
    outcome = run(spec())
    found = predicted(outcome)
    assert (found.test == LABELS).all()
    assert (found.validation == LABELS).all()
    assert (found.train == LABELS[SAMPLE]).all()
    assert outcome.fit_seconds is not None
    assert outcome.fit_seconds > 0
    assert outcome.predict_seconds is not None
    assert outcome.predict_seconds > 0
    assert (outcome.error_type, outcome.message) == (None, None)


def decoder_that(predict: Any) -> DecoderSpec:
    class Odd(Nearest):
        def predict(self, X: Any) -> Any:
            return predict(super().predict(X))

    return spec(Odd)


@pytest.mark.parametrize(
    ("predict", "status", "error_type", "message"),
    [
        (lambda p: raise_(KeyError("lost")), "failed", "error", "KeyError: 'lost'"),
        (lambda p: raise_(MemoryError()), "failed", "oom", "MemoryError"),
        (lambda p: raise_(NotApplicable("no\nuse")), "skipped", None, "no use"),
        (lambda p: p[:-1], "failed", "error", r"returned shape \(79,\), not \(80,\)"),
        (lambda p: np.eye(K)[p], "failed", "error", r"returned shape \(80, 4\)"),
        (lambda p: np.where(p == 1, np.nan, p), "failed", "nan", "NaN"),
        (lambda p: p + 1, "failed", "error", r"outside 0\.\.3"),
        (lambda p: p - 1, "failed", "error", r"outside 0\.\.3"),
        (lambda p: p + 0.5, "failed", "error", r"outside 0\.\.3"),
        (lambda p: p.astype(str), "failed", "error", "not integers"),
        (lambda p: None, "failed", "error", "returned shape"),
    ],
)
def test_whatever_a_decoder_does_becomes_an_outcome(
    predict: Any, status: str, error_type: str | None, message: str
) -> None:
    outcome = run(decoder_that(predict))
    assert (outcome.status, outcome.error_type) == (status, error_type)
    assert outcome.predictions is None
    assert outcome.message is not None
    assert re.search(message, outcome.message)


def test_a_warning_becomes_the_message_of_a_fine_row() -> None:
    class Warns(Nearest):
        def fit(self, X: Any, y: Any, **needs: Any) -> Nearest:
            import warnings

            warnings.warn("did not converge", stacklevel=1)
            return super().fit(X, y)

    outcome = run(spec(Warns))
    assert (outcome.status, outcome.message) == ("ok", "did not converge")


class Witness(Nearest):
    """Remembers what it is given."""

    seen: dict[str, Any]

    def fit(self, X: Any, y: Any, **needs: Any) -> Nearest:
        Witness.seen = {"X": X, "y": y, **needs}
        if isinstance(X, Mapping):
            X = X["b"]
        return super().fit(np.asarray(X), np.asarray(y))

    def predict(self, X: Any) -> Any:
        return super().predict(np.asarray(X["b"] if isinstance(X, Mapping) else X))


def test_a_decoder_gets_what_it_needs_and_nothing_else() -> None:
    run(spec(Witness))
    assert set(Witness.seen) == {"X", "y"}
    run(spec(Witness, needs=("validation", "transition", "network")))
    assert set(Witness.seen) == {"X", "y", "validation", "transition", "network"}
    X, y = Witness.seen["validation"]
    assert (X == VALIDATION).all()
    assert (y == LABELS).all()
    assert (Witness.seen["transition"] == np.eye(K)).all()
    assert isinstance(Witness.seen["network"], nn.Linear)


def test_without_validation_points_a_decoder_that_needs_them_is_skipped() -> None:
    outcome = run(spec(Witness, needs=("validation",)), validation=VALIDATION[:0])
    assert outcome.status == "skipped"
    assert "validation_fraction" in str(outcome.message)
    assert len(predicted(run(spec(), validation=VALIDATION[:0])).validation) == 0


def cross_fitting(found: Any, **fields: Any) -> DecoderSpec:
    class CrossFits(Nearest):
        def fit(self, X: Any, y: Any, **needs: Any) -> Nearest:
            self.validation_predictions_ = found
            return super().fit(X, y)

    return spec(CrossFits, **fields)


def test_a_decoder_may_predict_validation_points_by_fits_that_did_not_see_their_labels() -> None:
    others = (LABELS + 1) % K
    outcome = run(cross_fitting(torch.from_numpy(others), needs=("validation",)))
    assert outcome.cross_fitted
    assert (predicted(outcome).validation == others).all()
    assert (predicted(outcome).test == LABELS).all()
    for ordinary in (cross_fitting(None, needs=("validation",)), cross_fitting(others)):
        outcome = run(ordinary)
        assert not outcome.cross_fitted
        assert (predicted(outcome).validation == LABELS).all()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (LABELS[:-1], r"validation_predictions_ has shape \(79,\), not \(80,\)"),
        (LABELS + 1, r"validation_predictions_ has labels outside 0\.\.3"),
        (np.full(len(LABELS), np.nan), "validation_predictions_ has NaN labels"),
        ("none", "validation_predictions_ has shape"),
    ],
)
def test_cross_fitted_predictions_that_are_no_labels_fail_their_decoder(
    found: Any, message: str
) -> None:
    outcome = run(cross_fitting(found, needs=("validation",)))
    assert outcome.status == "failed"
    assert re.search(message, str(outcome.message))


def test_a_decoder_gets_the_search_that_others_share() -> None:
    search = Neighbors(TRAIN)
    run(spec(Witness, needs=("neighbors",)), neighbors=search)
    assert set(Witness.seen) == {"X", "y", "neighbors"}
    assert Witness.seen["neighbors"] is search
    run(spec(Witness), neighbors=search)
    assert "neighbors" not in Witness.seen


def test_labels_and_extras_are_copies_that_a_decoder_may_spoil() -> None:
    class Vandal(Nearest):
        def fit(self, X: Any, y: Any, **needs: Any) -> Nearest:
            super().fit(X, y)
            y[:], needs["validation"][1][:], needs["transition"][:] = 0, 0, 0
            for weights in needs["network"].parameters():
                nn.init.zeros_(weights)
            return self

    before = [subset.copy() for subset in (TRAIN, VALIDATION, TEST, LABELS)]
    outcome = run(spec(Vandal, needs=("validation", "transition", "network")))
    assert (predicted(outcome).train == LABELS[SAMPLE]).all()
    for subset, kept in zip((TRAIN, VALIDATION, TEST, LABELS), before, strict=True):
        assert (subset == kept).all()
    assert any(weights.any() for weights in MODULE.parameters())


class FromMoments(Nearest):
    """Is fitted from the means of a class, or, if need be, from points."""

    fitted_on: list[str]

    def fit(self, X: Any, y: Any, **needs: Any) -> Nearest:
        FromMoments.fitted_on.append("points")
        return super().fit(X, y)

    def fit_moments(self, moments: Any, **needs: Any) -> FromMoments:
        FromMoments.fitted_on.append("moments")
        self.means = np.asarray(moments.means)
        return self


def test_a_decoder_is_fitted_from_moments_where_there_are_any() -> None:
    FromMoments.fitted_on = []
    moments = moments_of(TRAIN, LABELS)
    from_moments = predicted(run(spec(FromMoments), train=None, moments=moments))
    assert FromMoments.fitted_on == ["moments"]
    from_points = predicted(run(spec(FromMoments)))
    assert FromMoments.fitted_on == ["moments", "points"]
    for subset in ("train", "validation", "test"):
        assert (getattr(from_moments, subset) == getattr(from_points, subset)).all()


def test_fitting_from_moments_takes_the_extras_too() -> None:
    class Asks(FromMoments):
        def fit_moments(self, moments: Any, **needs: Any) -> FromMoments:
            assert set(needs) == {"transition"}
            return super().fit_moments(moments)

    FromMoments.fitted_on = []
    asks = spec(Asks, needs=("transition",))
    assert predicted(run(asks, train=None, moments=moments_of(TRAIN, LABELS)))
    assert FromMoments.fitted_on == ["moments"]


def test_times_include_what_others_computed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()  # a second passes between looks at the clock
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr("memgen_bench.decode.decoding.time", clock)
    FromMoments.fitted_on = []
    moments, search = moments_of(TRAIN, LABELS), Neighbors(TRAIN)
    moments._account.seconds = 100.0

    class Searches(FromMoments):
        def fit_moments(self, moments: Any, **needs: Any) -> FromMoments:
            search.seconds += 20.0
            return super().fit_moments(moments)

        def predict(self, X: Any) -> Any:
            search.seconds += 3.0
            return super().predict(X)

    asks = spec(Searches, needs=("neighbors",))
    outcome = run(asks, train=None, moments=moments, neighbors=search)
    assert (outcome.fit_seconds, outcome.predict_seconds) == (121.0, 4.0)
    outcome = run(spec(FromMoments))
    assert (outcome.fit_seconds, outcome.predict_seconds) == (1.0, 1.0)


def test_what_test_labels_say_of_a_training_is_for_those_that_need_it() -> None:
    class Oracle:
        def recall(self, record: TrainingRecord) -> Any:
            assert record.validation_accuracy == [0.4, 0.3]
            if not record.test_accuracy:
                raise NotApplicable("not told")
            return record.best_test_epoch, record.best_test_predictions

    record = TrainingRecord(
        validation_accuracy=[0.4, 0.3],
        test_accuracy=[0.5, 0.6],
        best_test_epoch=2,
        best_test_predictions=[1, 3],
    )
    told = recall(spec(Oracle, scope="training", needs=("test",)), record, np.arange(2))
    assert predicted(told).test.tolist() == [1, 3]
    assert recall(spec(Oracle, scope="training"), record, np.arange(2)).message == "not told"


def test_torch_decoders_get_tensors() -> None:
    class Torch(Witness):
        def predict(self, X: Any) -> Any:
            assert isinstance(X, torch.Tensor)
            return torch.from_numpy(super().predict(X))

    assert (predicted(run(spec(Torch, arrays="torch"))).test == LABELS).all()
    assert isinstance(Witness.seen["X"], torch.Tensor)
    assert isinstance(Witness.seen["y"], torch.Tensor)


def test_network_scope_gets_a_mapping_of_layers() -> None:
    def layers(subset: np.ndarray) -> dict[str, np.ndarray]:
        return {"a": subset[:, :2].copy(), "b": subset.copy()}

    outcome = run(spec(Witness, scope="network"), layers(TRAIN), layers(VALIDATION), layers(TEST))
    assert (predicted(outcome).test == LABELS).all()
    assert list(Witness.seen["X"]) == ["a", "b"]


def test_random_states_are_seeded_nested_ones_too() -> None:
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    class Keeps:
        pipeline: Any

        def __init__(self) -> None:
            Keeps.pipeline = make_pipeline(StandardScaler(), SGDClassifier())

        def __getattr__(self, name: str) -> Any:
            return getattr(Keeps.pipeline, name)

    run(spec(Keeps))
    assert Keeps.pipeline.get_params()["sgdclassifier__random_state"] == 7


def test_scores_of_a_known_case() -> None:
    row = scores(
        Predictions(
            train=np.array([0, 1, 1]), validation=np.array([0, 0]), test=np.array([0, 0, 1, 1, 1])
        ),
        train_given=np.array([0, 1, 0]),
        train_true=np.array([0, 0, 0]),
        validation_given=np.array([0, 1]),
        test_true=np.array([0, 1, 1, 1, 2]),
        num_classes=4,
    )
    assert row["test_accuracy"] == 3 / 5
    assert row["class_accuracy"] == [1.0, 2 / 3, 0.0, None]
    assert row["balanced_accuracy"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert row["validation_accuracy"] == 1 / 2
    assert row["train_accuracy_given"] == 2 / 3
    assert row["train_accuracy_true"] == 1 / 3
    bits = np.unpackbits(np.frombuffer(row["test_correct"], np.uint8))[:5]
    assert bits.tolist() == [1, 0, 1, 1, 0]


def test_a_decoder_that_exits_fails_and_nothing_else_does() -> None:
    outcome = run(decoder_that(lambda p: raise_(SystemExit(7))))
    assert (outcome.status, outcome.error_type, outcome.message) == (
        "failed",
        "error",
        "SystemExit: 7",
    )


def test_out_of_memory_on_a_device_is_called_so() -> None:
    outcome = run(decoder_that(lambda p: raise_(RuntimeError("CUDA out of memory."))))
    assert outcome.error_type == "oom"


def test_decoders_that_draw_from_global_streams_repeat_themselves() -> None:
    class Guesses(Nearest):
        def predict(self, X: Any) -> Any:
            drawn = np.random.randint(K, size=len(X))
            return np.where(drawn < 2, drawn, 2 + torch.randint(2, (len(X),)).numpy())

    torch.manual_seed(1)
    first = predicted(run(spec(Guesses))).test
    torch.manual_seed(2)
    expected = torch.rand(1)
    torch.manual_seed(2)
    assert (predicted(run(spec(Guesses))).test == first).all()
    assert torch.rand(1) == expected  # the process's own stream is where it was
    assert len(set(first)) == K
