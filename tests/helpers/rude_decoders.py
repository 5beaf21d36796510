"""Plugins with decoders that write to what they were lent, or change what is global."""

from __future__ import annotations

WRITERS = """
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
CHANGERS = """
import gc
import logging
import os
import random
import signal
import sys
import time
import warnings

import numpy as np
import sklearn
import sklearn.neighbors
import torch
from memgen_bench import DecoderSpec, hookimpl
from memgen_bench.decode import decoding

held = []


def entered(context):
    held.append(context)
    context.__enter__()


def constant(*args, **kwargs):
    return 0


DEEDS = {
    "grad": lambda: torch.set_grad_enabled(False),
    "inference": lambda: entered(torch.inference_mode()),
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "autocast": lambda: entered(torch.autocast("cpu", torch.bfloat16)),
    "hook": lambda: torch.nn.modules.module.register_module_forward_hook(lambda *_: None),
    "denormals": lambda: torch.set_flush_denormal(True),
    "matmul": lambda: torch.set_float32_matmul_precision("medium"),
    "numpy-errors": lambda: np.seterr(all="raise"),
    "streams": lambda: (np.random.seed(1), torch.manual_seed(1), random.seed(1)),
    "sklearn": lambda: sklearn.set_config(transform_output="pandas"),
    "warnings": lambda: warnings.simplefilter("error"),
    "signal": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "folder": lambda: os.chdir("/"),
    "environment": lambda: os.environ.clear(),
    "path": lambda: sys.path.clear(),
    "recursion": lambda: sys.setrecursionlimit(120),
    "stdout": lambda: setattr(sys, "stdout", None),
    "logging": lambda: logging.disable(),
    "garbage": lambda: gc.disable(),
    "argmax": lambda: setattr(torch.Tensor, "argmax", constant),
    "unique": lambda: setattr(np, "unique", constant),
    "one-line": lambda: setattr(decoding, "one_line", constant),
    "count": lambda: setattr(decoding, "_count", constant),
    "neighbors": lambda: setattr(sklearn.neighbors.KNeighborsClassifier, "predict", constant),
}


class Changer:
    def __init__(self, deed, when):
        self.deed, self.when = deed, when
        self.act("build")

    def act(self, when):
        if when == self.when:
            self.deed()
            if self.when == "fit":
                raise ValueError("and it fails, too")

    def fit(self, X, y):
        self.first = int(y[0])
        self.act("fit")
        return self

    def predict(self, X):
        self.act("predict")
        return np.full(len(X), self.first)


@hookimpl
def register_decoders():
    return [
        DecoderSpec(
            name=f"{name}-in-{when}",
            summary="s",
            build=lambda deed=deed, when=when: Changer(deed, when),
        )
        for name, deed in DEEDS.items()
        for when in ("build", "fit", "predict")
    ]
"""
LASTING = """
import os
import threading
import time

import numpy as np
import torch
from memgen_bench import DecoderSpec, hookimpl

DEEDS = {
    "thread": lambda X: threading.Thread(target=later, args=(X,), daemon=True).start(),
    "streams": lambda X: (os.close(1), os.close(2)),
}


def later(X):
    time.sleep(0.5)  # others are at work by now
    torch.from_numpy(X).zero_()
    torch.set_num_threads(7)


class Lasting:
    def __init__(self, deed):
        self.deed = deed

    def fit(self, X, y):
        self.first = int(y[0])
        self.deed(X)
        return self

    def predict(self, X):
        return np.full(len(X), self.first)


@hookimpl
def register_decoders():
    return [
        DecoderSpec(name=f"a-{name}", summary="s", build=lambda deed=deed: Lasting(deed))
        for name, deed in DEEDS.items()
    ]
"""
