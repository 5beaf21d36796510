from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from memgen_bench.cache import NetworkCache
from memgen_bench.training import TrainingRecord

if TYPE_CHECKING:
    from pathlib import Path

RECORD = TrainingRecord(loss=[1.0, 0.5], train_accuracy=[0.2, 1.0], accuracy_given=1.0)


class Tied(nn.Module):
    """Two names for one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = self.first


def test_a_network_comes_back_as_it_was_tied_weights_too(tmp_path: Path) -> None:
    module, cache = Tied(), NetworkCache(tmp_path)
    cache.save("net", module.state_dict(), RECORD, {"network": "a label"})
    found = cache.load("net")
    assert found is not None
    weights, record = found
    assert record == RECORD
    assert set(weights) == set(module.state_dict())
    assert all(torch.equal(weights[name], value) for name, value in module.state_dict().items())
    assert cache.load("other") is None


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_damaged_entry_is_named_and_not_used(tmp_path: Path, suffix: str) -> None:
    cache = NetworkCache(tmp_path)
    cache.save("net", Tied().state_dict(), RECORD, {})
    path = tmp_path / f"net{suffix}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.warns(UserWarning, match="net.json: damaged, not used"):
        assert cache.load("net") is None
