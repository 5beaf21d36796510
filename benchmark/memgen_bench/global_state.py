"""The global state of a process, saved before a plugin is called and restored afterwards."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # of signal, without its names for numbers
import _thread
import ctypes
import gc
import locale
import logging
import os
import signal
import sys
import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Attributes, by the module that they belong to; one that is not imported has none.
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "sys": (
        *("stdin", "stdout", "stderr", "displayhook", "excepthook", "unraisablehook"),
        *("dont_write_bytecode", "tracebacklimit"),
    ),
    "threading": ("excepthook",),
    "logging": ("raiseExceptions",),
    "torch.backends": ("fp32_precision",),
    "torch.backends.cudnn": ("enabled", "benchmark", "deterministic", "allow_tf32"),
    "torch.backends.mkldnn": ("enabled", "deterministic", "allow_tf32"),
    "torch.backends.opt_einsum": ("enabled", "strategy"),
    "torch.backends.quantized": ("engine",),
    "torch.utils.deterministic": ("fill_uninitialized_memory",),
}
# Functions that tell and set a value, likewise.
_FUNCTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "sys": (
        ("getrecursionlimit", "setrecursionlimit"),
        ("getswitchinterval", "setswitchinterval"),
        ("gettrace", "settrace"),
        ("getprofile", "setprofile"),
    ),
    "socket": (("getdefaulttimeout", "setdefaulttimeout"),),
    "numpy": (
        ("geterr", "seterr"),
        ("geterrcall", "seterrcall"),
        ("get_printoptions", "set_printoptions"),
    ),
    "sklearn": (("get_config", "set_config"),),
    "torch": (
        ("is_grad_enabled", "set_grad_enabled"),
        ("get_default_dtype", "set_default_dtype"),
        ("get_num_threads", "set_num_threads"),
        ("get_num_interop_threads", "set_num_interop_threads"),
        ("get_deterministic_debug_mode", "set_deterministic_debug_mode"),
        ("get_float32_matmul_precision", "set_float32_matmul_precision"),
        ("is_anomaly_enabled", "set_anomaly_enabled"),
        ("is_autocast_cache_enabled", "set_autocast_cache_enabled"),
    ),
    "torch.backends.mha": (("get_fastpath_enabled", "set_fastpath_enabled"),),
    "torch.backends.cuda": (
        ("flash_sdp_enabled", "enable_flash_sdp"),
        ("mem_efficient_sdp_enabled", "enable_mem_efficient_sdp"),
        ("math_sdp_enabled", "enable_math_sdp"),
    ),
}
# Lists and dictionaries, likewise, whose contents are restored.
_CONTENTS: dict[str, tuple[str, ...]] = {
    "sys": ("path",),
    "os": ("environb",),
    "torch.nn.modules.module": (
        *("_global_backward_hooks", "_global_backward_pre_hooks"),
        *("_global_forward_hooks", "_global_forward_pre_hooks"),
        *("_global_module_registration_hooks", "_global_parameter_registration_hooks"),
    ),
}
# Random streams, which whoever draws changes: they are restored without a word.
_STREAMS: dict[str, tuple[str, str]] = {
    "random": ("getstate", "setstate"),
    "numpy.random": ("get_state", "set_state"),
    "torch": ("get_rng_state", "set_rng_state"),
}
# Modules and classes whose functions are put back where others took their places.
_OWNERS = (
    *("builtins", "math", "os", "random", "time", "json", "copy", "pickle"),
    *("numpy", "numpy.linalg", "numpy.random", "scipy.linalg", "sklearn.base"),
    *("torch", "torch.Tensor", "torch.linalg", "torch.nn.Module", "torch.nn.functional"),
)
_OUR_PACKAGES = ("memgen_bench", "memgen_plugins")
_WATCHED = (
    *(f"memgen_bench.{room}" for room in ("compute", "data", "decode", "network", "plugin")),
    *("memgen_bench.errors", "memgen_bench.seeds", "memgen_bench.workers"),
    *("memgen_plugins", "memgen_plugin_file_"),
)
_COMPOSES, _SPECIFIES = "memgen_bench.plugin.composition", "memgen_bench.plugin.specs"
_SCIENTIFIC = ("numpy", "scipy", "sklearn", "torch")
_FILES_LEFT_OPEN = 64  # more than these are too many
_PATIENCE = 0.2  # seconds that threads and processes have to end
_LISTS_CHILDREN = os.path.exists("/proc/thread-self/children")  # noqa: PTH110 - no pathlib here


class _Setting(NamedTuple):
    """A part of the global state; `restore` is None where it cannot be set."""

    name: str
    value: Callable[[], Any]
    restore: Callable[[Any], Any] | None = None


@dataclass(eq=False)
class Changes:
    """The parts of the global state that were changed.

    Attributes:
        restored: Names of those that are as before again.
        lasting: Names of those that are not: another process should go on.
    """

    restored: list[str] = field(default_factory=list)
    lasting: list[str] = field(default_factory=list)


# What was changed in this process for good.
lasting_changes: set[str] = set()
_told: list[Changes] = []  # of all calls that are being made, the outermost first


@contextmanager
def preserved(changes: Changes | None = None) -> Iterator[Changes]:
    """Run calls of a plugin, and restore the global state afterwards, also after an error.

    Args:
        changes: Is told the changes in the end, also those within that were restored within; a new
            object by default.

    Returns:
        The changes, which are known in the end.
    """
    changes = changes or Changes()
    imported = len(sys.modules)
    settings, owners = _settings(imported), _owners(imported)
    values, names = _values(settings), _names(owners)
    streams = [(put, get()) for get, put in _streams()]
    running = _running()
    _told.append(changes)
    try:
        with warnings.catch_warnings():
            yield changes
    finally:
        if not _equal(list(map(vars, owners)), names):
            for owner, before in zip(owners, names, strict=True):
                _put_back(owner, before, changes)
        if _values(settings) != values:
            for setting, value in zip(settings, values, strict=True):
                _restore(setting, value, changes)
        for put, state in streams:
            put(state)
        changes.lasting += _left_running(running)
        lasting_changes.update(changes.lasting)
        _told.remove(changes)
        if _told:
            _told[-1].restored += changes.restored
            _told[-1].lasting += changes.lasting
        else:
            _known.clear()
            _latest.clear()


def is_checked(build: Callable[..., Any]) -> bool:
    """Whether a function builds a plugin that ships, with plain arguments if any, or a row of them.

    The contract of these is tested here: they leave the process and what they are lent alone, and
    need not be watched.
    """
    if isinstance(build, partial):
        return is_checked(build.func) and _is_plain(build.args) and _is_plain(build.keywords)
    module = str(getattr(build, "__module__", ""))
    return module.startswith("memgen_plugins.") or module == _COMPOSES


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    if type(value).__module__ == _SPECIFIES:
        return is_checked(getattr(value, "build", None))  # type: ignore[arg-type]
    return isinstance(value, str | int | float | None) or is_checked(value)


# What the outermost of the calls that are being made found in each module and class.
_known: dict[int, dict[str, Any]] = {}
_latest: list[Any] = []  # the modules and classes of the latest call, and their names


def _names(owners: list[Any]) -> list[dict[str, Any]]:
    """Return the names in modules and classes; within another call, those from before it."""
    if not _latest or _latest[0] is not owners:
        for owner in owners:
            if id(owner) not in _known:
                _known[id(owner)] = vars(owner).copy()
        _latest[:] = owners, [_known[id(owner)] for owner in owners]
    names: list[dict[str, Any]] = _latest[1]
    return names


def _equal(first: Any, second: Any) -> bool:
    try:
        return bool(first == second)
    except Exception:  # what differs cannot be compared
        return False


def _values(settings: list[_Setting]) -> list[Any]:
    try:
        return [setting.value() for setting in settings]
    except Exception:  # it is of a value, too
        return list(map(_value, settings))


def _value(setting: _Setting) -> Any:
    try:
        return setting.value()
    except Exception as error:
        return type(error)


def _restore(setting: _Setting, before: Any, changes: Changes) -> None:
    if _value(setting) == before:
        return
    if setting.restore is not None:
        with suppress(Exception):
            setting.restore(before)
    fine = _value(setting) == before
    (changes.restored if fine else changes.lasting).append(setting.name)


@lru_cache(maxsize=1)
def _settings(_: int) -> list[_Setting]:
    """Return the settings, in the order of restoring, with this number of modules imported."""
    found = [*_of_modules(), *_of_process(), *_of_signals()]
    if torch := sys.modules.get("torch"):
        found += _of_torch(torch)
    return found


def _of_modules() -> Iterator[_Setting]:
    """Yield the settings that the tables name, of modules that are imported."""
    for module, names in _imported(_ATTRIBUTES):
        for name in names:
            if hasattr(type(module), name) or name in vars(module):
                yield _Setting(
                    f"{module.__name__}.{name}",
                    partial(getattr, module, name),
                    partial(setattr, module, name),
                )
    for module, pairs in _imported(_FUNCTIONS):
        for get, put in pairs:
            if hasattr(module, get):
                function = getattr(module, put)
                yield _Setting(f"{module.__name__}.{put}", getattr(module, get), _spread(function))
    for module, names in _imported(_CONTENTS):
        for name in names:
            if name in vars(module):
                whole = getattr(module, name)
                yield _Setting(
                    f"{module.__name__}.{name}",
                    partial(_contents, module, name),
                    partial(_refill, module, name, whole),
                )


def _imported(table: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    for name, what in table.items():
        if module := sys.modules.get(name):
            yield module, what


def _spread(function: Any) -> Callable[[Any], Any]:
    """Return a function that takes a value, or a dictionary of keywords."""
    return lambda value: function(**value) if isinstance(value, dict) else function(value)


def _contents(module: Any, name: str) -> Any:
    whole = getattr(module, name)
    return getattr(whole, "_data", whole).copy()  # `environb` itself takes ten times as long


def _refill(module: Any, name: str, whole: Any, before: Any) -> None:
    """Give a module its list or dictionary again, with the contents of before."""
    setattr(module, name, whole)
    if isinstance(whole, list):
        whole[:] = before
    else:
        whole.clear()
        whole.update(before)


def _streams() -> Iterator[tuple[Callable[[], Any], Callable[[Any], None]]]:
    for module, (get, put) in _imported(_STREAMS):
        yield getattr(module, get), getattr(module, put)


def _of_process() -> Iterator[_Setting]:
    """Yield the settings of the process: folder, locale, limits, logging, arithmetic."""
    yield _Setting("working directory", os.getcwd, os.chdir)
    yield _Setting("umask", _umask, os.umask)
    yield _Setting("locale", partial(locale.setlocale, locale.LC_ALL), _set_locale)
    yield _Setting("garbage collection", _collection, _set_collection)
    yield _Setting("root logger", _logging, _set_logging)
    yield _Setting("standard streams", lambda: [_place(number) for number in range(3)])
    yield _Setting("denormal numbers", _has_denormals, _set_denormals)
    if hasattr(time, "tzset"):
        yield _Setting("time zone", lambda: (time.tzname, time.timezone), lambda _: time.tzset())
    if hasattr(os, "getpriority"):
        own = os.PRIO_PROCESS, 0
        yield _Setting("priority", partial(os.getpriority, *own), partial(os.setpriority, *own))
    if hasattr(os, "sched_getaffinity"):
        yield _Setting(
            "CPU affinity", partial(os.sched_getaffinity, 0), partial(os.sched_setaffinity, 0)
        )
    if libm := _libm():
        yield _Setting("rounding mode", libm.fegetround, libm.fesetround)
    if controller := _blas():
        yield _Setting(
            "BLAS threads",
            lambda: [library.num_threads for library in controller.lib_controllers],
            lambda counts: [
                library.set_num_threads(count)
                for library, count in zip(controller.lib_controllers, counts, strict=True)
            ],
        )
    yield from _limits()


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


def _limits() -> Iterator[_Setting]:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            number = getattr(resource, name)
            yield _Setting(
                name, partial(resource.getrlimit, number), partial(resource.setrlimit, number)
            )


def _of_signals() -> Iterator[_Setting]:
    mask = partial(signal.pthread_sigmask, signal.SIG_BLOCK, ())
    yield _Setting("signal mask", mask, partial(signal.pthread_sigmask, signal.SIG_SETMASK))
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        yield _Setting("timer", partial(_ticks, timer), partial(_stop, timer))
    yield _Setting("signal handlers", _handlers, _set_handlers)


def _ticks(timer: int) -> bool:
    return signal.getitimer(timer) != (0.0, 0.0)


def _stop(timer: int, before: bool) -> None:
    if not before:
        signal.setitimer(timer, 0)


_SIGNALS = [int(each) for each in signal.Signals if each not in (signal.SIGKILL, signal.SIGSTOP)]


def _handlers() -> list[Any]:
    return list(map(_signal.getsignal, _SIGNALS))  # without names for numbers, which take long


def _set_handlers(before: list[Any]) -> None:
    for number, handler in zip(_SIGNALS, before, strict=True):
        if _signal.getsignal(number) != handler:
            signal.signal(number, handler)


def _of_torch(torch: Any) -> Iterator[_Setting]:
    """Yield settings that torch's functions neither tell nor set in pairs."""
    yield _Setting(
        "torch's default device",
        partial(_default_device, torch),
        partial(_set_default_device, torch),
    )
    yield _Setting(
        "torch.inference_mode",
        torch.is_inference_mode_enabled,
        partial(_set_inference_mode, torch),
    )
    for device in ("cpu", "cuda"):
        yield _Setting(
            f"torch.autocast on {device}",
            partial(_autocast, torch, device),
            partial(_set_autocast, torch, device),
        )
    yield _Setting("torch.cuda.set_device", partial(_cuda_device, torch), torch.cuda.set_device)


def _cuda_device(torch: Any) -> int:
    return torch.cuda.current_device() if torch.cuda.is_initialized() else 0


def _default_device(torch: Any) -> Any:
    """Return the default device and the number of modes that were entered, as `with device` is."""
    return torch.get_default_device(), torch._C._len_torch_function_stack()


def _set_default_device(torch: Any, before: Any) -> None:
    device, modes = before
    torch.set_default_device(None if device.type == "cpu" else device)
    while torch._C._len_torch_function_stack() > modes:
        torch.overrides._pop_mode()


_entered: list[Any] = []  # modes of inference that are left only when they are forgotten


def _set_inference_mode(torch: Any, enabled: bool) -> None:
    _entered.append(torch.inference_mode(enabled))
    _entered[-1].__enter__()


def _autocast(torch: Any, device: str) -> Any:
    return torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)


def _set_autocast(torch: Any, device: str, value: Any) -> None:
    enabled, dtype = value
    torch.set_autocast_enabled(device, enabled)
    torch.set_autocast_dtype(device, dtype)


@lru_cache(maxsize=1)
def _owners(_: int) -> list[Any]:
    """Return the modules and classes whose functions are watched, of those that are imported.

    They are our own, those of plugin files, and what these use of other packages.
    """
    found = {id(each): each for name in _OWNERS if (each := _find(name)) is not None}
    for name, module in list(sys.modules.items()):
        if name.startswith(_WATCHED) and name != __name__:
            used = (each for each in vars(module).values() if _is_theirs(each, name))
            found |= {id(each): each for each in (module, *used)}
    return list(found.values())


def _is_theirs(value: Any, module: str) -> bool:
    """Whether it is a class that a module defines, or a class or module of scientific Python."""
    if isinstance(value, ModuleType):
        return value.__name__.startswith(_SCIENTIFIC)
    heap_type = 1 << 9  # a class that was made by a class statement
    if not (isinstance(value, type) and value.__flags__ & heap_type):
        return False
    return value.__module__ == module or value.__module__.startswith(_SCIENTIFIC)


def _find(name: str) -> Any:
    """Return an imported module, or a class of one."""
    parent, _, last = name.rpartition(".")
    return sys.modules.get(name) or getattr(sys.modules.get(parent), last, None)


def _put_back(owner: Any, before: dict[str, Any], changes: Changes) -> None:
    """Put functions back that others took the places of, and in our own modules all names."""
    now = vars(owner)
    if _equal(now, before):
        return
    name_of_owner = getattr(owner, "__qualname__", owner.__name__)
    ours = getattr(owner, "__module__", owner.__name__).partition(".")[0] in _OUR_PACKAGES
    for name, value in before.items():
        if now.get(name) is not value and (ours or callable(value)):
            setattr(owner, name, value)
            changes.restored.append(f"{name_of_owner}.{name}")
    if isinstance(owner, type):  # a new method hides one of a base class
        for name in now.keys() - before.keys():
            if callable(now[name]) and not name.startswith("__"):
                delattr(owner, name)
                changes.restored.append(f"{name_of_owner}.{name}")


def _running() -> dict[str, int]:
    """Count threads, processes and open files, which may outlive a call."""
    return {"threads": _thread._count(), "processes": _children(), "open files": _open_files()}


def _children() -> int:
    """Return the number of child processes that run."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:  # there is none
        return 0
    return sum(map(_runs, _child_ids()))


def _runs(number: int) -> bool:
    """Whether a process has not ended; one that nobody waited for yet has."""
    if not _LISTS_CHILDREN:
        import psutil

        try:
            return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:  # it has just ended
            return False
    try:
        with open(f"/proc/{number}/stat") as file:  # noqa: PTH123 - ten times as fast as psutil
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # it has just ended
        return False


def _child_ids() -> list[int]:
    """Return the ids of child processes: Linux knows those of each thread.

    Elsewhere all processes of the machine are looked at, which takes a hundred times as long.
    """
    if not _LISTS_CHILDREN:
        import psutil

        return [child.pid for child in psutil.Process().children()]
    found: list[int] = []
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - as for open files
        with suppress(OSError), open(f"/proc/self/task/{thread}/children") as file:  # noqa: PTH123
            found += map(int, file.read().split())
    return found


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - three times as fast
    except OSError:  # another system
        return 0


def _left_running(before: dict[str, int]) -> list[str]:
    """Return the names of those that have become more; they get a moment to end."""
    allowed = before | {"open files": before["open files"] + _FILES_LEFT_OPEN}
    until = time.monotonic() + _PATIENCE
    while left := [name for name, count in _running().items() if count > allowed[name]]:
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    return left
