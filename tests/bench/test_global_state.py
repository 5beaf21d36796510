"""The global state is as it was after whatever a plugin did to it; what is not is named."""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import gc
import locale
import logging
import math
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sklearn
import threadpoolctl
import torch

from memgen_bench import DecoderSpec, compose, global_state, load_registry
from memgen_bench.decode import decoding
from memgen_bench.global_state import is_checked, preserved
from memgen_bench.testing.planted import DecoderBench
from memgen_plugins.decoders.layer.centroid import CosineCentroid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIBM = ctypes.CDLL("libm.so.6")
_HELD: list[Any] = []


def enter(context: Any) -> None:
    """Enter a context and never leave it."""
    _HELD.append(context)
    context.__enter__()


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpoolctl.threadpool_info()]


def fills(module: Any, args: Any, output: Any) -> Any:
    return torch.ones(9)


def far_away() -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def log_all() -> None:
    logging.root.setLevel(1)
    logging.root.addHandler(logging.NullHandler())


def tell_tale(name: str) -> Callable[..., str]:
    return lambda *args, **kwargs: name


# What is done, and what tells that it was.
DEEDS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "grad": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "dtype": (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "device": (lambda: torch.set_default_device("meta"), torch.get_default_device),
    "device-entered": (lambda: enter(torch.device("meta")), lambda: torch.ones(1).device),
    "inference": (lambda: enter(torch.inference_mode()), torch.is_inference_mode_enabled),
    "autocast": (
        lambda: enter(torch.autocast("cpu", torch.bfloat16)),
        lambda: (torch.ones(2, 2) @ torch.ones(2, 2)).dtype,
    ),
    "threads": (lambda: torch.set_num_threads(3), torch.get_num_threads),
    "blas": (lambda: threadpoolctl.threadpool_limits(3), blas_threads),
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
    "denormals": (lambda: torch.set_flush_denormal(True), lambda: sys.float_info.min / 2),
    "rounding": (lambda: LIBM.fesetround(0x800), lambda: math.sqrt(2) / 3 + 1e-17),
    "torch-stream": (lambda: torch.manual_seed(5), torch.random.initial_seed),
    "numpy-errors": (lambda: np.seterr(all="raise"), np.geterr),
    "numpy-stream": (
        lambda: np.random.seed(5),
        lambda: np.random.get_state(legacy=False)["state"]["key"].sum(),
    ),
    "numpy-print": (lambda: np.set_printoptions(precision=1), np.get_printoptions),
    "python-stream": (lambda: random.seed(5), random.getstate),
    "sklearn": (lambda: sklearn.set_config(transform_output="pandas"), sklearn.get_config),
    "warnings": (warnings.resetwarnings, lambda: len(warnings.filters)),
    "locale": (lambda: locale.setlocale(locale.LC_ALL, "C"), locale.localeconv),
    "signal": (
        lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        lambda: signal.getsignal(signal.SIGTERM),
    ),
    "signal-mask": (
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1}),
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
    ),
    "alarm": (
        lambda: signal.setitimer(signal.ITIMER_VIRTUAL, 90),
        lambda: signal.getitimer(signal.ITIMER_VIRTUAL),
    ),
    "folder": (lambda: os.chdir("/"), os.getcwd),
    "environment": (
        lambda: os.environ.update(HOME="/nowhere", OMP_NUM_THREADS="7"),
        lambda: dict(os.environ),
    ),
    "environment-cleared": (os.environ.clear, lambda: dict(os.environ)),
    "time-zone": (
        far_away,
        lambda: (time.tzname, time.localtime(0).tm_hour),
    ),
    "path": (lambda: sys.path.insert(0, "/nowhere"), lambda: list(sys.path)),
    "path-replaced": (lambda: setattr(sys, "path", []), lambda: sys.path),
    "recursion": (lambda: sys.setrecursionlimit(5000), sys.getrecursionlimit),
    "stdout": (lambda: setattr(sys, "stdout", None), lambda: sys.stdout),
    "umask": (lambda: os.umask(0o777), global_state._umask),
    "logging": (
        log_all,
        lambda: (logging.root.level, len(logging.root.handlers)),
    ),
    "logging-disabled": (logging.disable, lambda: logging.root.manager.disable),
    "garbage": (gc.disable, gc.isenabled),
    "limit": (
        lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (99, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        ),
        lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
    ),
    "affinity": (
        lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
        lambda: os.sched_getaffinity(0),
    ),
    "socket": (lambda: socket.setdefaulttimeout(1), socket.getdefaulttimeout),
    "numpy-patched": (lambda: setattr(np, "unique", tell_tale("x")), lambda: np.unique),
    "torch-patched": (
        lambda: setattr(torch.Tensor, "argmax", tell_tale("x")),
        lambda: torch.Tensor.argmax,
    ),
    "builtin-removed": (
        lambda: delattr(builtins, "breakpoint"),
        lambda: hasattr(builtins, "breakpoint"),
    ),
    "ours-patched": (
        lambda: setattr(decoding, "CHANGED", "nothing"),
        lambda: decoding.CHANGED,
    ),
    "shipped-patched": (
        lambda: setattr(CosineCentroid, "predict", tell_tale("x")),
        lambda: CosineCentroid.predict,
    ),
}
SILENT = {"torch-stream", "numpy-stream", "python-stream", "warnings"}


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    yield
    global_state.lasting_changes.clear()
    _HELD.clear()


@pytest.mark.parametrize("name", DEEDS)
@pytest.mark.parametrize("ending", ["fine", "with an error"])
def test_what_was_changed_is_as_before(name: str, ending: str) -> None:
    deed, tell = DEEDS[name]
    with preserved():  # what is imported for the first time is no change
        tell()
    before = tell()
    with contextlib.suppress(ZeroDivisionError), preserved() as changes:
        deed()
        done = tell()
        if ending != "fine":
            raise ZeroDivisionError
    after = tell()
    assert changes.lasting == []
    assert np.array_equal(after, before) if isinstance(before, np.ndarray) else after == before
    if name not in SILENT:
        assert changes.restored
    if name not in ("affinity", "locale"):  # this machine may have one CPU, and be in C already
        assert done != before


def test_nothing_is_reported_where_nothing_was_changed() -> None:
    with preserved():
        pass
    with preserved() as changes:
        torch.ones(3).argmax()
        np.random.default_rng().random()
        random.random()
    assert (changes.restored, changes.lasting) == ([], [])


def test_who_is_outside_is_told_what_was_changed_within() -> None:
    with preserved() as outer:
        with preserved() as inner:
            np.seterr(all="raise")
        assert np.geterr()["divide"] == "warn"
    assert inner.restored == outer.restored == ["numpy.seterr"]


def in_child(deed: str, tmp_path: Path) -> str:
    """Return what lasts after a deed, done in a process of its own."""
    code = "import os, subprocess, sys, threading, time\nfrom memgen_bench import global_state\n"
    code += f"with global_state.preserved() as changes:\n    {deed}\n"
    out = tmp_path / "out"
    code += f"open({str(out)!r}, 'w').write(','.join(changes.lasting))\n"
    code += "assert global_state.lasting_changes == set(changes.lasting)\nos._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    return out.read_text()


@pytest.mark.parametrize(
    ("deed", "lasting"),
    [
        ("threading.Thread(target=time.sleep, args=(9,)).start()", "threads"),
        ("subprocess.Popen(['sleep', '3'])", "processes"),
        ("os.fork() or time.sleep(3) or os._exit(0)", "processes"),
        ("os.dup2(os.open(os.devnull, os.O_RDWR), 1)", "standard streams"),
        ("os.close(2)", "standard streams"),
        ("files = [open(os.devnull) for _ in range(100)]", "open files"),
        ("import torch; torch.set_grad_enabled(True)", ""),
        ("threading.Thread(target=time.sleep, args=(0.05,)).start()", ""),
        ("subprocess.run(['true'])", ""),
    ],
)
def test_what_cannot_be_restored_is_named(deed: str, lasting: str, tmp_path: Path) -> None:
    assert in_child(deed, tmp_path) == lasting


def test_functions_can_be_wrapped() -> None:
    @preserved()
    def rude(value: int) -> int:
        threading.excepthook = None  # type: ignore[assignment]
        return value + 1

    before = threading.excepthook
    assert rude(1) == 2
    assert threading.excepthook is before


def test_only_what_ships_and_is_checked_need_not_be_watched() -> None:
    class Stranger(CosineCentroid):
        pass

    assert is_checked(CosineCentroid)
    assert is_checked(partial(CosineCentroid, "plain", weight=1.0))
    assert not is_checked(Stranger)
    assert not is_checked(lambda: CosineCentroid())
    assert not is_checked(partial(CosineCentroid, Stranger()))
    ncm = DecoderSpec(name="ncm", summary="", build=CosineCentroid)
    stranger = DecoderSpec(name="stranger", summary="", build=Stranger)
    assert is_checked(compose("ncm>ncm", [ncm, ncm]).build)
    assert not is_checked(compose("ncm>stranger", [ncm, stranger]).build)
    assert not is_checked(compose("stranger>ncm", [stranger, ncm]).build)


@pytest.mark.parametrize("lists", sorted({False, global_state._LISTS_CHILDREN}))
def test_children_that_run_are_counted_whether_the_system_lists_them_or_not(
    lists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(global_state, "_LISTS_CHILDREN", lists)
    before = global_state._children()
    with subprocess.Popen(["sleep", "60"]) as child:
        assert global_state._children() == before + 1
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is a zombie
        assert global_state._children() == before


def test_all_decoders_that_ship_leave_the_process_alone() -> None:
    for name, spec in load_registry().decoders.items():
        if is_checked(spec.build) and spec.scope == "layer" and not spec.slow:
            decoder = DecoderBench(spec)
            decoder.exercise()  # what is imported for the first time may change settings
            with preserved() as changes:
                decoder.exercise()
            assert (changes.restored, changes.lasting) == ([], []), name
