"""Settings and random streams of modules are as they were after whatever a plugin did to them."""

from __future__ import annotations

import os
import random
import socket
import sys
from typing import Any

import numpy as np
import pytest
import sklearn
import torch

from helpers.rude_deeds import ENDINGS, Deed, changes_of


def fills(module: Any, args: Any, output: Any) -> Any:
    return torch.ones(9)


DEEDS: dict[str, Deed] = {
    "grad": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "dtype": (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "threads": (lambda: torch.set_num_threads(3), torch.get_num_threads),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True),
        torch.are_deterministic_algorithms_enabled,
    ),
    "matmul": (
        lambda: torch.set_float32_matmul_precision("medium"),
        torch.get_float32_matmul_precision,
    ),
    "cudnn": (
        lambda: setattr(torch.backends.cudnn, "benchmark", True),
        lambda: torch.backends.cudnn.benchmark,
    ),
    "anomaly": (lambda: torch.autograd.set_detect_anomaly(True), torch.is_anomaly_enabled),
    "module-hook": (
        lambda: torch.nn.modules.module.register_module_forward_hook(fills),
        lambda: torch.nn.Identity()(torch.ones(2)).shape,
    ),
    "numpy-errors": (lambda: np.seterr(all="raise"), np.geterr),
    "numpy-print": (lambda: np.set_printoptions(precision=1), np.get_printoptions),
    "sklearn": (lambda: sklearn.set_config(transform_output="pandas"), sklearn.get_config),
    "environment": (
        lambda: os.environ.update(HOME="/nowhere", OMP_NUM_THREADS="7"),
        lambda: dict(os.environ),
    ),
    "environment-cleared": (os.environ.clear, lambda: dict(os.environ)),
    "path": (lambda: sys.path.insert(0, "/nowhere"), lambda: list(sys.path)),
    "path-replaced": (lambda: setattr(sys, "path", []), lambda: sys.path),
    "recursion": (lambda: sys.setrecursionlimit(5000), sys.getrecursionlimit),
    "stdout": (lambda: setattr(sys, "stdout", None), lambda: sys.stdout),
    "socket": (lambda: socket.setdefaulttimeout(1), socket.getdefaulttimeout),
}
STREAMS: dict[str, Deed] = {
    "torch": (lambda: torch.manual_seed(5), torch.random.initial_seed),
    "numpy": (
        lambda: np.random.seed(5),
        lambda: np.random.get_state(legacy=False)["state"]["key"].sum(),
    ),
    "python": (lambda: random.seed(5), random.getstate),
}


@pytest.mark.parametrize("name", DEEDS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_settings_are_as_before(name: str, ending: str) -> None:
    assert changes_of(DEEDS[name], ending).restored


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_random_streams_are_as_before_without_a_word(name: str, ending: str) -> None:
    assert changes_of(STREAMS[name], ending).restored == []
