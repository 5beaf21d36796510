"""Trained networks on disk: what was trained is what is loaded, or nothing is."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from memgen_bench.errors import DamagedError, MemgenError
from memgen_bench.network.cache import NetworkCache
from memgen_bench.network.cache_files import network_entry, note_of
from memgen_bench.plugin.training_record import TrainingRecord
from memgen_bench.plugin.trajectory import Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memgen_bench.plan.plan import Plan, PlannedNetwork

RECORD = TrainingRecord(
    loss=[1.0, 0.5], train_accuracy=[0.2, 1.0], accuracy_given=1.0, best_test_predictions=[3, 1]
)


class Tied(nn.Module):
    """Two names for one weight, and a counter."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.first = nn.Linear(4, width)
        self.second = self.first
        self.norm = nn.BatchNorm1d(width)


@pytest.fixture(scope="module")
def networks(plan_digits: Callable[..., Plan]) -> dict[str, PlannedNetwork]:
    """Return a planned network of each kind."""
    return {network.kind: network for network in plan_digits().networks}


@pytest.fixture
def network(networks: Mapping[str, PlannedNetwork]) -> PlannedNetwork:
    return networks["memorized"]


@pytest.fixture
def saved(tmp_path: Path, networks: Mapping[str, PlannedNetwork]) -> NetworkCache:
    """Return a cache of two networks."""
    cache = NetworkCache(tmp_path / "own")
    for kind in ("memorized", "clean"):
        cache.save(networks[kind], Tied(), RECORD)
    return cache


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def test_a_network_comes_back_as_it_was_tied_weights_too(
    tmp_path: Path, network: PlannedNetwork
) -> None:
    module, cache = Tied(), NetworkCache(tmp_path)
    cache.save(network, module, RECORD)
    loaded = Tied()
    assert not same(loaded, module)
    assert cache.load(network.network_id, loaded) == RECORD
    assert same(loaded, module)


def test_a_note_holds_what_was_hashed_for_people_to_read(
    tmp_path: Path, network: PlannedNetwork
) -> None:
    NetworkCache(tmp_path).save(network, Tied(), RECORD)
    note = network_entry(tmp_path, network.network_id).note()
    assert note["network"] == "mlp on digits, uniform 0.4, seed 0"
    assert note["identity"]["draw"]["rate"] == 0.4
    assert note["identity"]["recipe"] == network.recipe.identity()
    assert note["identity"]["initial"]["model"] == "mlp"
    assert note["record"] == asdict(RECORD)


def test_an_absent_network_is_no_fault(tmp_path: Path, network: PlannedNetwork) -> None:
    assert NetworkCache(tmp_path / "nowhere").load(network.network_id, Tied()) is None


# damage


def check_set_aside(cache: NetworkCache, networks: Mapping[str, PlannedNetwork]) -> None:
    """The memorized network is set aside and named once; the clean one is there; a new one fits."""
    bad, good = networks["memorized"], networks["clean"]
    module = Tied()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.warns(UserWarning, match=f"{bad.network_id}.json: damaged, set aside") as warned:
        assert cache.load(bad.network_id, module) is None
    assert len(warned) == 1
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    names = {path.name for path in cache.folder.glob(f"{bad.network_id}*")}
    assert names
    assert all(name.endswith(".damaged") for name in names)
    assert cache.load(bad.network_id, module) is None  # and says nothing more
    assert cache.load(good.network_id, Tied()) == RECORD
    cache.save(bad, module, RECORD)
    again = Tied()
    assert cache.load(bad.network_id, again) == RECORD
    assert same(again, module)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_byte_that_differs_anywhere_is_found_each_time(
    saved: NetworkCache, networks: Mapping[str, PlannedNetwork], suffix: str
) -> None:
    entry = network_entry(saved.folder, networks["memorized"].network_id)
    path = saved.folder / f"{entry.network_id}{suffix}"
    content = path.read_bytes()
    for place in range(len(content)):
        bits = (0x01, 0x20, 0xFF)[place % 3]
        path.write_bytes(content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :])
        with pytest.raises(DamagedError):
            entry.read()
    check_set_aside(saved, networks)


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize(
    ("suffix", "harm"),
    [
        *product([".json", ".safetensors"], [half, empty, longer]),
        (".safetensors", Path.unlink),
    ],
)
def test_a_file_that_is_cut_longer_or_missing_is_found(
    saved: NetworkCache,
    networks: Mapping[str, PlannedNetwork],
    suffix: str,
    harm: Callable[[Path], None],
) -> None:
    harm(saved.folder / f"{networks['memorized'].network_id}{suffix}")
    check_set_aside(saved, networks)


def test_a_save_that_was_killed_is_no_network_and_no_damage(
    saved: NetworkCache, networks: Mapping[str, PlannedNetwork]
) -> None:
    network = networks["memorized"]
    (saved.folder / f"{network.network_id}.json").unlink()  # which is written last
    assert saved.load(network.network_id, Tied()) is None  # and without a warning
    saved.save(network, Tied(), RECORD)
    assert saved.load(network.network_id, Tied()) == RECORD


@pytest.mark.parametrize("suffixes", [[".json"], [".safetensors"], [".json", ".safetensors"]])
def test_another_networks_files_under_a_name_are_found(
    saved: NetworkCache, networks: Mapping[str, PlannedNetwork], suffixes: list[str]
) -> None:
    other = NetworkCache(saved.folder.parent / "other")
    other.save(networks["clean"], Tied(), RECORD)
    for suffix in suffixes:
        shutil.copy(
            other.folder / f"{networks['clean'].network_id}{suffix}",
            saved.folder / f"{networks['memorized'].network_id}{suffix}",
        )
    check_set_aside(saved, networks)


@pytest.mark.parametrize("module", [Tied(5), Tied().double(), nn.Linear(4, 4)], ids=repr)
def test_what_does_not_fit_the_model_is_damaged(
    tmp_path: Path, networks: Mapping[str, PlannedNetwork], module: nn.Module
) -> None:
    cache = NetworkCache(tmp_path)
    cache.save(networks["memorized"], module, RECORD)
    cache.save(networks["clean"], Tied(), RECORD)
    check_set_aside(cache, networks)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"record": None},
        {"record": {"unheard": 1}},
        {"format": 0},
        {"identity": None},
        {"identity": []},
        {"identity": {"initial": 1}},
        {"identity": {"initial": {"lr": float("inf")}}},
    ],
    ids=str,
)
def test_a_sealed_note_that_is_not_ours_is_damaged(
    saved: NetworkCache, networks: Mapping[str, PlannedNetwork], fields: dict[str, Any]
) -> None:
    note, weights = network_entry(saved.folder, networks["memorized"].network_id).files
    note.write_bytes(note_of(networks["memorized"], weights.read_bytes(), **fields))
    check_set_aside(saved, networks)


class Hostile:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize("by_torch", [False, True])
def test_a_hostile_pickle_under_our_names_runs_no_code(
    saved: NetworkCache,
    networks: Mapping[str, PlannedNetwork],
    tmp_path: Path,
    suffix: str,
    by_torch: bool,
) -> None:
    mark = tmp_path / "mark"
    note, weights = network_entry(saved.folder, networks["memorized"].network_id).files
    path = note if suffix == ".json" else weights
    if by_torch:
        torch.save(Hostile(mark), path)
    else:
        path.write_bytes(pickle.dumps(Hostile(mark)))
    if path == weights:  # with a note that vouches for it
        note.write_bytes(
            note_of(networks["memorized"], weights.read_bytes(), record=asdict(RECORD))
        )
    check_set_aside(saved, networks)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Hostile(mark)))
    assert mark.exists()  # so it would have been


# several folders


def test_shared_folders_are_read_in_order_and_the_own_one_first(
    tmp_path: Path, networks: Mapping[str, PlannedNetwork]
) -> None:
    folders = [tmp_path / name for name in ("own", "first", "second")]
    for folder, loss in zip(folders, (0.0, 1.0, 2.0), strict=True):
        NetworkCache(folder).save(networks["clean"], Tied(), TrainingRecord(loss=[loss]))
        NetworkCache(folder).save(networks["memorized"], Tied(), TrainingRecord(loss=[loss]))
    network_entry(folders[0], networks["memorized"].network_id).remove()
    cache = NetworkCache(folders[0], folders[1:])
    found = [cache.load(networks[kind].network_id, Tied()) for kind in ("clean", "memorized")]
    assert [record.loss for record in found if record] == [[0.0], [1.0]]


def test_what_is_damaged_in_a_shared_folder_is_named_and_left_as_it_is(
    tmp_path: Path, saved: NetworkCache, network: PlannedNetwork
) -> None:
    longer(saved.folder / f"{network.network_id}.json")
    before = files(saved.folder)
    cache = NetworkCache(tmp_path / "new", [saved.folder])
    with pytest.warns(UserWarning, match="damaged, not used"):
        assert cache.load(network.network_id, Tied()) is None
    assert files(saved.folder) == before
    cache.save(network, Tied(), RECORD)
    assert cache.load(network.network_id, Tied()) == RECORD
    assert files(saved.folder) == before


def test_a_folder_that_cannot_be_written_gets_one_clear_line(
    tmp_path: Path, network: PlannedNetwork
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(MemgenError, match=f"cannot write {blocked}"):
        NetworkCache(blocked / "networks").save(network, Tied(), RECORD)


# trajectories


def some_trajectory() -> Trajectory:
    numbers = np.arange(20, dtype=np.float32).reshape(4, 5)
    epochs = np.arange(10, dtype=np.int32).reshape(2, 5)
    return Trajectory(
        margin=numbers[0],
        loss=numbers[1],
        early_margin=numbers[2],
        early_loss=numbers[3],
        first_learned=epochs[0],
        last_forgotten=epochs[1],
    )


def test_a_trajectory_comes_back_and_leaves_the_networks_own_files_as_they_are(
    tmp_path: Path, network: PlannedNetwork
) -> None:
    torch.manual_seed(0)
    module, trajectory = Tied(), some_trajectory()
    without, cache = NetworkCache(tmp_path / "without"), NetworkCache(tmp_path / "with")
    without.save(network, module, RECORD)
    cache.save(network, module, RECORD, trajectory)
    both = files(cache.folder)
    assert both.items() >= files(without.folder).items()
    assert both.keys() - files(without.folder).keys() == {f"{network.network_id}.trajectory"}
    found = cache.load_trajectory(network.network_id)
    assert found is not None
    for name, value in vars(trajectory).items():
        assert (vars(found)[name] == value).all()
        assert vars(found)[name].dtype == value.dtype
    assert without.load_trajectory(network.network_id) is None
    shared = NetworkCache(tmp_path / "new", [cache.folder])
    assert shared.load_trajectory(network.network_id) is not None


def test_a_damaged_trajectory_is_set_aside_and_its_network_still_loads(
    tmp_path: Path, network: PlannedNetwork
) -> None:
    cache = NetworkCache(tmp_path)
    cache.save(network, Tied(), RECORD, some_trajectory())
    path = tmp_path / f"{network.network_id}.trajectory"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.warns(UserWarning, match="trajectory: damaged, set aside"):
        assert cache.load_trajectory(network.network_id) is None
    assert cache.load(network.network_id, Tied()) == RECORD
    assert not path.exists()
