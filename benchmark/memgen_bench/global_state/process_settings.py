"""Settings of the process: folder, locale, limits, logging, arithmetic, signals."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # of signal, without its names for numbers
import ctypes
import gc
import locale
import logging
import os
import signal
import sys
import time
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from memgen_bench.global_state.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNALS = [int(each) for each in signal.Signals if each not in (signal.SIGKILL, signal.SIGSTOP)]


def settings_of_process() -> Iterator[Setting]:
    """Yield the settings of the process, in the order of restoring."""
    yield Setting("working directory", os.getcwd, os.chdir)
    yield Setting("umask", _umask, os.umask)
    yield Setting("locale", partial(locale.setlocale, locale.LC_ALL), _set_locale)
    yield Setting("garbage collection", _collection, _set_collection)
    yield Setting("root logger", _logging, _set_logging)
    yield Setting("standard streams", lambda: [_place(number) for number in range(3)])
    yield Setting("denormal numbers", _has_denormals, _set_denormals)
    if hasattr(time, "tzset"):
        yield Setting("time zone", lambda: (time.tzname, time.timezone), lambda _: time.tzset())
    if hasattr(os, "getpriority"):
        own = os.PRIO_PROCESS, 0
        yield Setting("priority", partial(os.getpriority, *own), partial(os.setpriority, *own))
    if hasattr(os, "sched_getaffinity"):
        yield Setting(
            "CPU affinity", partial(os.sched_getaffinity, 0), partial(os.sched_setaffinity, 0)
        )
    if libm := _libm():
        yield Setting("rounding mode", libm.fegetround, libm.fesetround)
    if controller := _blas():
        yield Setting(
            "BLAS threads",
            lambda: [library.num_threads for library in controller.lib_controllers],
            lambda counts: [
                library.set_num_threads(count)
                for library, count in zip(controller.lib_controllers, counts, strict=True)
            ],
        )
    yield from _limits()
    yield from _of_signals()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _set_locale(name: str) -> None:
    locale.setlocale(locale.LC_ALL, name)


def _collection() -> Any:
    return gc.isenabled(), gc.get_threshold()


def _set_collection(value: Any) -> None:
    enabled, threshold = value
    (gc.enable if enabled else gc.disable)()
    gc.set_threshold(*threshold)


def _logging() -> Any:
    root = logging.root
    return root.level, root.disabled, root.manager.disable, list(root.handlers), list(root.filters)


def _set_logging(value: Any) -> None:
    root = logging.root
    level, root.disabled, root.manager.disable, root.handlers[:], root.filters[:] = value
    root.setLevel(level)


def _place(number: int) -> tuple[int, int]:
    status = os.fstat(number)
    return status.st_dev, status.st_ino


def _has_denormals() -> bool:
    return sys.float_info.min / 2 > 0


def _set_denormals(there: bool) -> None:
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(not there)


@cache
def _libm() -> Any:
    try:
        libm = ctypes.CDLL("libm.so.6")
    except OSError:  # another system
        return None
    return libm if hasattr(libm, "fegetround") else None


def _blas() -> Any:
    """Return the control of the threads of the libraries that are loaded now."""
    threadpoolctl = sys.modules.get("threadpoolctl")
    return threadpoolctl.ThreadpoolController() if threadpoolctl else None


def _limits() -> Iterator[Setting]:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            number = getattr(resource, name)
            yield Setting(
                name, partial(resource.getrlimit, number), partial(resource.setrlimit, number)
            )


def _of_signals() -> Iterator[Setting]:
    mask = partial(signal.pthread_sigmask, signal.SIG_BLOCK, ())
    yield Setting("signal mask", mask, partial(signal.pthread_sigmask, signal.SIG_SETMASK))
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        yield Setting("timer", partial(_ticks, timer), partial(_stop, timer))
    yield Setting("signal handlers", _handlers, _set_handlers)


def _ticks(timer: int) -> bool:
    return signal.getitimer(timer) != (0.0, 0.0)


def _stop(timer: int, before: bool) -> None:
    if not before:
        signal.setitimer(timer, 0)


def _handlers() -> list[Any]:
    return list(map(_signal.getsignal, _SIGNALS))  # without names for numbers, which take long


def _set_handlers(before: list[Any]) -> None:
    for number, handler in zip(_SIGNALS, before, strict=True):
        if _signal.getsignal(number) != handler:
            signal.signal(number, handler)
