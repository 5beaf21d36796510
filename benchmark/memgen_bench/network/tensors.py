"""Named tensors as safetensors, which hold numbers only: loading such a file runs no code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import safetensors.torch
from safetensors import SafetensorError

from memgen_bench.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    Tensors = dict[str, torch.Tensor]


def pack(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return tensors as safetensors; tied tensors are stored once for each name."""
    own = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
    return safetensors.torch.save(own)


def unpack(content: bytes) -> Tensors:
    """Return the tensors of `pack`, on the CPU.

    Raises:
        DamagedError: The content is no safetensors.
    """
    try:
        return safetensors.torch.load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DamagedError(f"its weights are no safetensors ({error})") from error


def check_fit(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    """Check that tensors have the expected names, shapes and types.

    Raises:
        DamagedError: A tensor differs; the message names it.
    """
    for name in [*expected, *found]:
        if (there := _form(found, name)) != (wanted := _form(expected, name)):
            raise DamagedError(f"{name} is {there} in it, and {wanted} in the model")


def _form(tensors: Mapping[str, torch.Tensor], name: str) -> str:
    if name not in tensors:
        return "missing"
    return f"{str(tensors[name].dtype).removeprefix('torch.')}{list(tensors[name].shape)}"
