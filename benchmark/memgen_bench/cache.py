"""Trained networks on disk, by identity: safetensors for weights, JSON for the record."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import safetensors.torch

from memgen_bench.files import write_atomically
from memgen_bench.training import TrainingRecord

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    Weights = dict[str, torch.Tensor]


class NetworkCache:
    """Networks by `network_id`: `<id>.safetensors` and, written last, `<id>.json`.

    Args:
        folder: Where networks are read and written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, network_id: str) -> tuple[Weights, TrainingRecord] | None:
        """Return a network's weights and record, or None where it is absent or damaged."""
        note = self.folder / f"{network_id}.json"
        if not note.is_file():
            return None
        try:
            return _read(note)
        except (OSError, ValueError, KeyError, TypeError) as error:
            warnings.warn(f"{note}: damaged, not used ({error})", stacklevel=2)
            return None

    def save(
        self, network_id: str, weights: Weights, record: TrainingRecord, about: dict[str, Any]
    ) -> None:
        """Store a network with its record and what a person may want to know about it."""
        content = safetensors.torch.save({name: _own(value) for name, value in weights.items()})
        write_atomically(self.folder / f"{network_id}.safetensors", content)
        note = {"sha256": hashlib.sha256(content).hexdigest(), "record": asdict(record), **about}
        write_atomically(self.folder / f"{network_id}.json", json.dumps(note).encode())


def _own(value: torch.Tensor) -> torch.Tensor:
    """Return a copy that shares memory with no other, as tied weights do."""
    return value.detach().clone().contiguous()


def _read(note: Path) -> tuple[Weights, TrainingRecord]:
    fields = json.loads(note.read_bytes())
    content = note.with_suffix(".safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != fields["sha256"]:
        raise ValueError("its weights do not match their checksum")
    return safetensors.torch.load(content), TrainingRecord(**fields["record"])
