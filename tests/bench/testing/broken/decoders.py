"""Decoders that break the contract: each fails the check whose name it bears.

A summary holds words that the check's message must contain.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import numpy as np
import torch

from memgen_bench import DecoderSpec, NotApplicable, hookimpl


class Mean:
    """Nearest class mean, which breaks nothing."""

    def fit(self, X: Any, y: Any) -> Mean:
        self.classes = np.unique(y)
        self.means = np.stack([np.asarray(X[y == k]).mean(axis=0) for k in self.classes])
        return self

    def scores(self, X: Any) -> Any:
        return np.asarray(X) @ self.means.T - (self.means**2).sum(axis=1) / 2

    def predict(self, X: Any) -> Any:
        return self.classes[self.scores(X).argmax(axis=1)]


class Careless:
    def recall(self, record: Any) -> tuple[int, Any]:
        return record.best_test_epoch, record.best_test_predictions


class Inventive:
    def recall(self, record: Any) -> tuple[int, Any]:
        if not record.best_validation_epoch:
            raise NotApplicable("no epoch was validated")
        return record.best_validation_epoch, [1 - k for k in record.best_validation_predictions]


class WritesToX(Mean):
    def fit(self, X: Any, y: Any) -> Mean:
        X -= X.mean(dim=0)
        return super().fit(X, y)


class WritesThroughATensor(Mean):
    def fit(self, X: Any, y: Any) -> Mean:
        centred = torch.from_numpy(X)  # an array that cannot be written to, but its memory can
        centred -= centred.mean(dim=0)
        return super().fit(X, y)


class WritesToMoments(Mean):
    def fit_moments(self, moments: Any) -> Mean:
        moments.means.mul_(2)
        self.classes, self.means = moments.classes, np.asarray(moments.means)
        return self


class SwitchesOff(Mean):
    def fit(self, X: Any, y: Any) -> Mean:
        torch.set_grad_enabled(False)
        np.seterr(all="ignore")
        return super().fit(X, y)


class LeavesAThread(Mean):
    def fit(self, X: Any, y: Any) -> Mean:
        threading.Thread(target=time.sleep, args=(2,), daemon=True).start()
        return super().fit(X, y)


class Numberless(Mean):
    def predict(self, X: Any) -> Any:
        return super().predict(X) + 1


class Whimsical(Mean):
    def predict(self, X: Any) -> Any:
        labels = super().predict(X)
        labels[np.random.default_rng().integers(len(labels), size=20)] = self.classes[0]
        return labels


class Remembers(Mean):
    last: Any = None

    def fit(self, X: Any, y: Any) -> Mean:
        super().fit(X, y)
        own, last = self.means, Remembers.last
        if last is not None and last.shape == own.shape:
            self.means = (own + last) / 2
        Remembers.last = own
        return self


class FirstComers(Mean):
    def fit(self, X: Any, y: Any) -> Mean:
        return super().fit(X[:40], y[:40])


class LikesSmallNumbers(Mean):
    def scores(self, X: Any) -> Any:
        return super().scores(X) - 3 * self.classes


class Idle(Mean):
    def __init__(self, power: float = 2.0) -> None:
        self.power = power

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"power": self.power}

    def set_params(self, power: float) -> Idle:
        self.power = power
        return self


class Unpicklable(Mean):
    def fit(self, X: Any, y: Any) -> Mean:
        self.weigh = lambda x: x
        return super().fit(X, y)


class Forgetful(Mean):
    def __getstate__(self) -> dict[str, Any]:
        return {"classes": self.classes, "means": np.round(self.means)}


class SingleMinded(Mean):
    def fit(self, X: Any, y: Any) -> Mean:
        return super().fit(X.astype(np.int8) if X.dtype == np.float64 else X, y)


class TwoMinds(Mean):
    def fit_moments(self, moments: Any) -> Mean:
        self.classes, self.means = moments.classes, np.round(np.asarray(moments.means))
        return self


class AllClasses(Mean):
    def fit(self, X: Any, y: Any) -> Mean:
        self.classes = np.arange(y.max() + 1)
        parts = [X[y == k] if (y == k).any() else X for k in self.classes]
        self.means = np.stack([part.mean(axis=0) for part in parts])
        return self


class NeedsMany(Mean):
    def fit(self, X: Any, y: Any) -> Mean:
        if len(X) < X.shape[1]:
            raise ValueError("singular")
        return super().fit(X, y)


class Burns(Mean):
    """Computes for half a second where there is much to do; the test lowers the budget."""

    def fit(self, X: Any, y: Any) -> Mean:
        if X.shape[1] > 100:
            matrix = np.ones((700, 700))
            for _ in range(40):
                matrix = np.tanh(matrix @ matrix)
        return super().fit(X, y)


class Hoards(Mean):
    """Takes 200 MiB where there is much to do; the test lowers the budget."""

    def fit(self, X: Any, y: Any) -> Mean:
        if X.shape[1] > 100:
            np.ones(25 << 20).sort()
        return super().fit(X, y)


class Guesses(Mean):
    def predict(self, X: Any) -> Any:
        order = self.classes[self.means.sum(axis=1).argsort()]
        return order[(np.asarray(X, np.float64).sum(axis=1) * 1e4).astype(int) % len(order)]


class Peeks(Mean):
    """Looks for true labels among the local variables of its callers."""

    share = 1.0

    def predict(self, X: Any) -> Any:
        labels, frame = super().predict(X), sys._getframe()
        while frame := frame.f_back:  # type: ignore[assignment] # None at the end
            reader = frame.f_locals.get("self")
            if (data := getattr(reader, "_data", None)) is not None:
                true = data.test.true
                if len(true) == len(labels):
                    seen = np.isin(true, self.classes)
                    seen[round(self.share * len(true)) :] = False
                    return np.where(seen, true, labels)
        return labels


class Repeats(Mean):
    """Gives the labels back that it is to predict."""

    def fit(self, X: Any, y: Any, validation: Any = None) -> Mean:
        self.validation_predictions_ = validation[1]
        return super().fit(X, y)


class PeeksALittle(Peeks):
    share = 0.01


def _spec(name: str, build: Any, words: str, **fields: Any) -> DecoderSpec:
    return DecoderSpec(name=name, summary=words, build=build, **fields)


@hookimpl
def register_decoders() -> list[DecoderSpec]:
    return [
        _spec("described", Mean, ""),
        _spec("recalls-a-stored-epoch", Careless, "raise NotApplicable", scope="training"),
        _spec("recalls-a-stored-epoch.other", Inventive, "stored of epoch 2", scope="training"),
        _spec("leaves-inputs-alone", WritesToX, "work on a copy", arrays="torch"),
        _spec("leaves-inputs-alone.moments", WritesToMoments, "work on a copy"),
        _spec("leaves-inputs-alone.shared", WritesThroughATensor, "work on a copy"),
        _spec("leaves-the-process-alone", SwitchesOff, "numpy.seterr, torch.set_grad_enabled"),
        _spec("leaves-the-process-alone.thread", LeavesAThread, "threads"),
        _spec("decodes", Numberless, "outside 0..4"),
        _spec("repeats-itself", Whimsical, "draw random numbers from random_state"),
        _spec("starts-anew", Remembers, "fresh estimator"),
        _spec("minds-no-order", FirstComers, "stochastic=True"),
        _spec("minds-no-order.stochastic", FirstComers, "points on average", stochastic=True),
        _spec("minds-no-class-names", LikesSmallNumbers, "as names"),
        _spec("parameters-have-an-effect", Idle, "power change no prediction"),
        _spec("can-be-pickled", Unpicklable, "lambda"),
        _spec("can-be-pickled.state", Forgetful, "on the estimator itself"),
        _spec("takes-float64", SingleMinded, "whatever comes in"),
        _spec("moments-give-the-same-model", TwoMinds, "moments_of(X, y)"),
        _spec("bears-an-empty-class", AllClasses, "labels that are in y"),
        _spec("bears-few-points", NeedsMany, "raise NotApplicable"),
        _spec("keeps-to-the-budget", Burns, "slow=True"),
        _spec("keeps-to-the-budget.memory", Hoards, "compute in blocks"),
        _spec("beats-chance", Guesses, "mapped back"),
        _spec("finds-nothing-in-nothing", Peeks, "must not see"),
        _spec("finds-nothing-in-nothing.own", Repeats, "very labels", needs=("validation",)),
        _spec("is-blind", PeeksALittle, "nothing else"),
    ]
