from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memgen_bench.errors import DamagedError
from memgen_bench.network.cache_files import (
    cache_entries,
    cached,
    network_entry,
    note_of,
    resume_entry,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memgen_bench.plan.plan import Plan, PlannedNetwork


@pytest.fixture
def network(plan_digits: Callable[..., Plan]) -> PlannedNetwork:
    return plan_digits().networks[-1]


def write(folder: Path, network: PlannedNetwork, weights: bytes) -> None:
    folder.mkdir(exist_ok=True)
    note = note_of(network, weights, text="of several\nlines\n}\n")
    for file, content in zip(
        network_entry(folder, network.network_id).files, (note, weights), strict=True
    ):
        file.write_bytes(content)
    resume_entry(folder, network.network_id).files[0].write_bytes(note + weights)


@pytest.mark.parametrize("weights", [b"", b"weights", b"\n}\n", b"a\n}\n{\nb"])
def test_networks_and_checkpoints_are_read_as_they_were_written(
    tmp_path: Path, network: PlannedNetwork, weights: bytes
) -> None:
    write(tmp_path, network, weights)
    for entry in cache_entries(tmp_path):
        fields, found = entry.read()
        assert found == weights
        assert fields == entry.note()
        assert fields["text"] == "of several\nlines\n}\n"


def test_a_folder_shows_what_is_ours_and_leaves_out_the_rest(
    tmp_path: Path, network: PlannedNetwork
) -> None:
    write(tmp_path, network, b"weights")
    name = network.network_id
    for other in (f"{name}.safetensors.damaged", ".a1b2_c3d.tmp", "README.md", "index.json"):
        (tmp_path / other).write_bytes(b"12345")
    (tmp_path / f"{'0' * 20}.safetensors").write_bytes(b"alone")
    (tmp_path / f"{'1' * 20}.json").mkdir()
    found = {(entry.state, entry.network_id): entry for entry in cache_entries(tmp_path)}
    assert set(found) == {
        ("network", name),
        ("checkpoint", name),
        ("set aside", name),
        ("temporary", ""),
        ("network", "0" * 20),
    }
    assert found["temporary", ""].size == found["network", "0" * 20].size == 5
    assert cached([tmp_path, tmp_path / "nowhere"]) == {name}
    with pytest.raises(DamagedError, match=f"{'0' * 20}.json is missing"):
        found["network", "0" * 20].note()
    for entry in found.values():
        entry.remove()
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md", "index.json", f"{'1' * 20}.json"
    }  # fmt: skip


def test_every_byte_of_a_checkpoint_counts(tmp_path: Path, network: PlannedNetwork) -> None:
    write(tmp_path, network, b"some weights")
    entry = resume_entry(tmp_path, network.network_id)
    content = entry.files[0].read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x20
        for harmed in (bytes(changed), content[:place]):
            entry.files[0].write_bytes(harmed)
            with pytest.raises(DamagedError):
                entry.read()
