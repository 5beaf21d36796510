"""Settings of the process are as they were after whatever a plugin did, or are named."""

from __future__ import annotations

import ctypes
import gc
import locale
import logging
import math
import os
import resource
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest
import threadpoolctl
import torch

from helpers.rude_deeds import ENDINGS, Deed, changes_of, lasting_after
from memgen_bench.global_state import process_settings

if TYPE_CHECKING:
    from pathlib import Path

LIBM = ctypes.CDLL("libm.so.6")


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpoolctl.threadpool_info()]


def far_away() -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def log_all() -> None:
    logging.root.setLevel(1)
    logging.root.addHandler(logging.NullHandler())


DEEDS: dict[str, Deed] = {
    "blas": (lambda: threadpoolctl.threadpool_limits(3), blas_threads),
    "denormals": (lambda: torch.set_flush_denormal(True), lambda: sys.float_info.min / 2),
    "rounding": (lambda: LIBM.fesetround(0x800), lambda: math.sqrt(2) / 3 + 1e-17),
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
    "time-zone": (far_away, lambda: (time.tzname, time.localtime(0).tm_hour)),
    "umask": (lambda: os.umask(0o777), process_settings._umask),
    "logging": (log_all, lambda: (logging.root.level, len(logging.root.handlers))),
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
}
UNSEEN = ("affinity", "locale")  # this machine may have one CPU, and be in C already


@pytest.mark.parametrize("name", DEEDS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_settings_are_as_before(name: str, ending: str) -> None:
    assert changes_of(DEEDS[name], ending, shows=name not in UNSEEN).restored


@pytest.mark.parametrize("line", ["os.dup2(os.open(os.devnull, os.O_RDWR), 1)", "os.close(2)"])
def test_standard_streams_cannot_be_restored(line: str, tmp_path: Path) -> None:
    assert lasting_after(line, tmp_path) == "standard streams"
