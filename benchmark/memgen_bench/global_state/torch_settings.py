"""Settings of torch that its functions neither tell nor set in pairs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from memgen_bench.global_state.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

_entered: list[Any] = []  # modes of inference that are left only when they are forgotten


def settings_of_torch(torch: Any) -> Iterator[Setting]:
    """Yield the settings of torch, which is given: nothing here imports it."""
    yield Setting(
        "torch's default device",
        partial(_default_device, torch),
        partial(_set_default_device, torch),
    )
    yield Setting(
        "torch.inference_mode",
        torch.is_inference_mode_enabled,
        partial(_set_inference_mode, torch),
    )
    for device in ("cpu", "cuda"):
        yield Setting(
            f"torch.autocast on {device}",
            partial(_autocast, torch, device),
            partial(_set_autocast, torch, device),
        )
    yield Setting("torch.cuda.set_device", partial(_cuda_device, torch), torch.cuda.set_device)


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


def _set_inference_mode(torch: Any, enabled: bool) -> None:
    _entered.append(torch.inference_mode(enabled))
    _entered[-1].__enter__()


def _autocast(torch: Any, device: str) -> Any:
    entered = _open_autocasts(torch) if device == "cpu" else 0  # one count for all devices
    return torch.is_autocast_enabled(device), torch.get_autocast_dtype(device), entered


def _set_autocast(torch: Any, device: str, value: Any) -> None:
    enabled, dtype, entered = value
    torch.set_autocast_enabled(device, enabled)
    torch.set_autocast_dtype(device, dtype)
    while device == "cpu" and _open_autocasts(torch) > entered:
        torch.autocast_decrement_nesting()
    torch.clear_autocast_cache()  # in an open one, weights that were cast once stay as they were


def _open_autocasts(torch: Any) -> int:
    """Return how many contexts of autocast were entered and not left."""
    torch.autocast_increment_nesting()
    return int(torch.autocast_decrement_nesting())
