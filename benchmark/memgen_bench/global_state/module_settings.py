"""Settings and random streams of modules, each in a table under the name of its module."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from memgen_bench.global_state.setting import Setting

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


def settings_of_modules() -> Iterator[Setting]:
    """Yield the settings that the tables name, of modules that are imported."""
    for module, names in _imported(_ATTRIBUTES):
        for name in names:
            if hasattr(type(module), name) or name in vars(module):
                yield Setting(
                    f"{module.__name__}.{name}",
                    partial(getattr, module, name),
                    partial(setattr, module, name),
                )
    for module, pairs in _imported(_FUNCTIONS):
        for get, put in pairs:
            if hasattr(module, get):
                function = getattr(module, put)
                yield Setting(f"{module.__name__}.{put}", getattr(module, get), _spread(function))
    for module, names in _imported(_CONTENTS):
        for name in names:
            if name in vars(module):
                whole = getattr(module, name)
                yield Setting(
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


def random_streams() -> Iterator[tuple[Callable[[], Any], Callable[[Any], None]]]:
    """Yield the functions that tell and set the state of each random stream."""
    for module, (get, put) in _imported(_STREAMS):
        yield getattr(module, get), getattr(module, put)
