"""Networks given to an engine: rows stored in time, and nothing done that another run has done."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from memgen_bench.messages import Row, RunSettings
from memgen_bench.results import store
from memgen_bench.results.snapshot import Snapshot
from memgen_bench.running import execution
from memgen_bench.running.execution import Execution
from memgen_bench.running.locks import Locks
from memgen_bench.running.unstored import UnstoredRows
from memgen_plugins.engines.local import SerialEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from memgen_bench.messages import Report
    from memgen_bench.plan.plan import Plan, PlannedNetwork

    Function = Callable[[PlannedNetwork, frozenset[str], RunSettings, Report], None]


def rows_of(network: PlannedNetwork, keys: frozenset[str]) -> Iterator[Row]:
    for key in sorted(keys):
        yield Row("readings", {"network_id": network.network_id, "key": key, "status": "ok"})


def compute(
    network: PlannedNetwork, keys: frozenset[str], settings: RunSettings, report: Report
) -> None:
    for row in rows_of(network, keys):
        report(row)


class Run:
    """Two networks with several readings each that are computed into an empty folder."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.networks = list(plan.networks)[:2]
        self.folder, self.results = folder, Snapshot(folder)
        self.stored: list[tuple[str, list[str], bool]] = []
        self.computed: list[tuple[str, frozenset[str]]] = []

    def keys(self, place: int) -> frozenset[str]:
        return frozenset(reading.key for reading in self.networks[place].readings)

    def on_stored(self, network: PlannedNetwork, readings: Any, done: bool) -> None:
        keys = [] if readings is None else readings["key"].to_pylist()
        self.stored.append((network.network_id, keys, done))

    def execute(self, function: Function = compute, *, only_rows: bool = False) -> None:
        """Compute the networks, or only their own rows, on the serial engine."""

        def note(network: PlannedNetwork, keys: frozenset[str], *rest: Any) -> None:
            self.computed.append((network.network_id, keys))
            function(network, keys, *rest)

        missing = {
            network.network_id: (network, frozenset() if only_rows else self.keys(place))
            for place, network in enumerate(self.networks)
        }
        with Locks(self.folder) as locks:
            unstored = UnstoredRows(lambda _: None)
            settings = RunSettings(
                plugin_files=(), data_dir=self.folder, network_dir=self.folder, device="cpu"
            )
            computing = Execution(
                missing, note, settings, self.results, locks, unstored, self.on_stored
            )
            try:
                with SerialEngine(computing.report) as engine:
                    computing.run(engine)
            finally:
                computing.store_rest()

    def rows(self) -> list[str]:
        return sorted(store.read_frame(self.folder, "readings", ["key"])["key"])


@pytest.fixture
def two(tmp_path: Path, plan_digits: Callable[..., Plan]) -> Run:
    return Run(tmp_path, plan_digits(kinds=["untrained"], seeds=[0, 1]))


def test_rows_are_stored_network_by_network(two: Run) -> None:
    two.execute()
    ids = [network.network_id for network in two.networks]
    assert two.stored == [(id_, sorted(two.keys(at)), True) for at, id_ in enumerate(ids)]
    assert two.rows() == sorted(two.keys(0) | two.keys(1))


def test_what_another_run_stores_while_this_one_does_is_not_done_again(
    two: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_part, other = store.write_part, two.networks[1]
    theirs = [row.columns for row in rows_of(other, two.keys(1))]

    def write(folder: Path, name: str, prefix: str, part: Any) -> Path:
        path = write_part(folder, name, prefix, part)
        write_part(folder, name, other.network_id, store.table(name, theirs[:-1]))
        return path

    monkeypatch.setattr(store, "write_part", write)
    two.execute()
    last = frozenset({theirs[-1]["key"]})
    assert two.computed == [
        (two.networks[0].network_id, two.keys(0)),
        (other.network_id, last),
    ]


def test_a_network_that_another_run_has_done_is_done(two: Run) -> None:
    for place, network in enumerate(two.networks):
        rows = [row.columns for row in rows_of(network, two.keys(place))]
        store.write_part(two.folder, "readings", network.network_id, store.table("readings", rows))
    two.execute()
    assert two.computed == []
    assert two.stored == [(network.network_id, [], True) for network in two.networks]


def test_a_network_whose_row_alone_was_missing_is_done_when_another_run_has_stored_it(
    two: Run,
) -> None:
    """A run that looks while another one stores sees its readings, and not yet its own row."""
    first, second = two.networks
    two.results.parts("networks")
    row = store.table("networks", [{"network_id": first.network_id}])
    store.write_part(two.folder, "networks", first.network_id, row)
    two.execute(only_rows=True)
    assert two.computed == [(second.network_id, frozenset())]


def test_an_engine_that_blocks_this_thread_stores_rows_as_they_grow_old(
    two: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "_PATIENCE", 0)
    two.execute()
    first, keys = two.networks[0].network_id, sorted(two.keys(0))
    assert two.stored[: len(keys) + 1] == [
        *((first, [key], False) for key in keys),
        (first, [], True),
    ]
    assert two.rows() == sorted(two.keys(0) | two.keys(1))


def test_rows_from_another_thread_are_stored_in_this_one(
    two: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "_PATIENCE", 0)

    def elsewhere(*arguments: Any) -> None:
        thread = threading.Thread(target=compute, args=arguments)
        thread.start()
        thread.join()

    two.execute(elsewhere)
    assert [(len(keys), done) for _, keys, done in two.stored] == [
        (len(two.keys(place)), True) for place in range(2)
    ]


def test_what_is_finished_of_a_network_is_stored_when_the_run_is_stopped(two: Run) -> None:
    def stop(network: Any, keys: Any, settings: Any, report: Report) -> None:
        for row in list(rows_of(network, keys))[:2]:
            report(row)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        two.execute(stop)
    assert two.rows() == sorted(two.keys(0))[:2]
    assert two.stored == [(two.networks[0].network_id, two.rows(), False)]
