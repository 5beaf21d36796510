"""A plugin with decoders that write to what they were lent, in many ways."""

from __future__ import annotations

PLUGIN = """
import ctypes

import numpy as np
import torch
from memgen_bench import DecoderSpec, hookimpl


def by_tensor(X):
    torch.from_numpy(X).sub_(1)


def by_data(X):
    torch.from_numpy(X).data.mul_(2)


def by_base(X):
    X.base[:5] = 0


def by_view(X):
    flat = np.lib.stride_tricks.as_strided(X.base, (X.size,), (X.itemsize,))
    flat[-1] += 1


def by_pointer(X):
    ctypes.memset(X.ctypes.data, 7, 3)


def by_order(X):
    np.random.default_rng(0).shuffle(X.base)  # the same numbers in other places


def by_out(X):
    torch.clamp(torch.from_numpy(X), max=0.1, out=torch.from_numpy(X))


def by_flag(X):
    X.base.view()[0] = np.nan


def by_dlpack(X):
    torch.utils.dlpack.from_dlpack(torch.from_numpy(X)).add_(3)


WAYS = {f.__name__.replace("_", "-"): f for f in list(globals().values()) if hasattr(f, "__code__")}
WAYS.pop("hookimpl", None)


class Writer:
    def __init__(self, way=None, when="fit"):
        self.way, self.when = way, when

    def fit(self, X, y):
        self.classes = np.unique(y)
        self.means = np.stack([X[y == k].mean(axis=0) for k in self.classes])
        if self.when == "fit":
            self.way(X)
        return self

    def predict(self, X):
        found = self.classes[((X[:, None] - self.means) ** 2).sum(axis=2).argmin(axis=1)]
        if self.when == "predict":
            self.way(X)
        return found


class WritesToMoments(Writer):
    def fit_moments(self, moments):
        self.classes, self.means = moments.classes, np.array(moments.means)
        {"means": moments.means, "within": moments.within(), "axes": moments.axes(0)[1]}[
            self.way
        ].mul_(2)
        return self


class WritesToClasses(WritesToMoments):
    def fit_moments(self, moments):
        super().fit_moments(moments)
        moments.classes[:] = moments.classes[::-1].copy()
        return self


class WritesToNeighbors(Writer):
    def fit(self, X, y, neighbors):
        super().fit(X, y)
        neighbors.query(X, 5).zero_()
        return self


class WritesToRecord:
    def recall(self, record):
        record.test_accuracy[:] = [0.0]
        return 1, record.best_test_predictions


@hookimpl
def register_decoders():
    found = []

    def add(name, build, **fields):
        found.append(DecoderSpec(name=name, summary="s", build=build, **fields))

    for name, way in WAYS.items():
        for when in ("fit", "predict"):
            add(f"{name}-in-{when}", lambda way=way, when=when: Writer(way, when))
    for what in ("means", "within", "axes"):
        add(f"to-{what}", lambda what=what: WritesToMoments(what, "never"))
    add("to-classes", lambda: WritesToClasses("means", "never"))
    add("to-neighbors", lambda: WritesToNeighbors(None, "never"), needs=("neighbors",))
    return found
"""
