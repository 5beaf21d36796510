from __future__ import annotations

import pytest
import torch

from memgen_bench.errors import DamagedError
from memgen_bench.network.tensors import check_fit, pack, unpack


def test_tensors_of_every_kind_come_back_as_they_were() -> None:
    tied = torch.randn(3, 2)
    tensors = {
        "first": tied,
        "second": tied,
        "map": torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "view": torch.arange(10)[::2],
        "half": torch.randn(3, dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "flags": torch.tensor([True, False]),
        "none": torch.empty(0, 5),
    }
    found = unpack(pack(tensors))
    assert {name: value.dtype for name, value in found.items()} == {
        name: value.dtype for name, value in tensors.items()
    }
    assert all(torch.equal(found[name], value) for name, value in tensors.items())


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}x"])
def test_what_is_no_safetensors_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedError, match="no safetensors"):
        unpack(content)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"w": torch.zeros(2, 3)}, r"b is missing in it, and float32\[3\] in the model"),
        ({"w": torch.zeros(2, 3), "b": torch.zeros(3), "c": torch.zeros(1)}, "c is float32"),
        ({"w": torch.zeros(3, 2), "b": torch.zeros(3)}, r"w is float32\[3, 2\] in it, and"),
        ({"w": torch.zeros(2, 3).double(), "b": torch.zeros(3)}, r"w is float64\[2, 3\] in it"),
    ],
)
def test_names_shapes_and_types_must_fit(found: dict[str, torch.Tensor], says: str) -> None:
    expected = {"w": torch.zeros(2, 3), "b": torch.zeros(3)}
    check_fit(dict(expected), expected)
    with pytest.raises(DamagedError, match=says):
        check_fit(found, expected)
