"""A worker goes on from a resume file, and removes it once its network is cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memgen_bench import load_registry
from memgen_bench.files.atomic import write_atomically
from memgen_bench.files.places import find_places
from memgen_bench.messages import Row, RunSettings
from memgen_bench.network import resume as module_under_test
from memgen_bench.plan.suite import Suite
from memgen_bench.results import store
from memgen_bench.running.runner import plan_run
from memgen_bench.workers.network_rows import run_network

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from memgen_bench.messages import Message
    from memgen_bench.plan.plan import PlannedNetwork

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = Suite.model_validate(
    {
        "name": "tiny",
        "version": 1,
        "models": ["mlp"],
        "datasets": ["digits"],
        "rates": [0.4],
        "kinds": ["memorized"],
        "decoders": ["ncm"],
        "train_size": 200,
        "test_size": 50,
    }
)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> PlannedNetwork:
    """Return a network on real digits."""
    folder = tmp_path_factory.mktemp("plan")
    return plan_run(TINY, load_registry(), find_places(folder, folder), device="cpu").networks[-1]


def run(network: PlannedNetwork, folder: Path, minutes: float = 0) -> dict[str, pa.Table]:
    """Return what a worker makes of a network, without what no two runs have in common."""
    settings = RunSettings(
        plugin_files=(),
        data_dir=folder,
        network_dir=folder,
        device="cpu",
        resume_minutes=minutes,
    )
    keys = frozenset(reading.key for reading in network.readings)
    rows: dict[str, list[dict[str, Any]]] = {"networks": [], "readings": []}

    def keep(message: Message) -> None:
        if isinstance(message, Row):
            rows[message.table].append(message.columns)

    run_network(network, keys, settings, keep)
    tables = {name: store.table(name, found) for name, found in rows.items()}
    return {
        "networks": tables["networks"].drop_columns(["train_seconds", "created"]),
        "readings": tables["readings"].drop_columns(["fit_seconds", "predict_seconds", "created"]),
    }


def test_a_worker_goes_on_from_a_checkpoint_and_removes_it_once_the_network_is_cached(
    planned: PlannedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(planned, tmp_path / "whole", minutes=10)
    written: list[Path] = []

    def interrupted(path: Path, content: bytes) -> None:
        if len(written) == 5:
            raise KeyboardInterrupt
        write_atomically(path, content)
        written.append(path)

    folder = tmp_path / "stopped"
    monkeypatch.setattr(module_under_test, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(planned, folder)
    monkeypatch.setattr(module_under_test, "write_atomically", write_atomically)
    assert {path.name for path in folder.iterdir()} == {f"{planned.network_id}.checkpoint"}
    assert run(planned, folder) == whole
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors", ".trajectory"}
    again = run(planned, folder)
    assert again["readings"] == whole["readings"]
    assert again["networks"]["from_cache"].to_pylist() == [True]


def test_a_network_that_cannot_be_cached_is_read_all_the_same(
    planned: PlannedNetwork, tmp_path: Path
) -> None:
    whole = run(planned, tmp_path / "whole", minutes=10)
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.warns(
        UserWarning, match="mlp on digits, uniform 0.4, seed 0 is not cached: cannot"
    ):
        assert run(planned, tmp_path / "file", minutes=10) == whole
