"""`memgen-bench why`: show the fields by which a cached network or stored reading differs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import DEFAULT_RESULTS


@unfold
def why(
    *,
    key: Annotated[str, typer.Argument(help="A network_id or a reading's key, or its beginning.")],
    suite: options.Suite = "core",
    changes: options.Changes,
    slow: options.Slow = False,
    results: options.Results = DEFAULT_RESULTS,
    places: options.Places,
    device: options.Device = "auto",
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Say where a network or reading is, and if it is not, how the nearest one differs.

    With the same options as the run in question: they say what is planned.
    """
    from memgen_bench.results.mismatches import Known, explain

    folders = places.network_folders()
    known = Known(
        plan=options.plan(suite, changes, places, plugins, device=device, slow=slow),
        notes=_notes(folders),
        **_stored(results),
    )
    for line in explain(known, key):
        say(line)


def _notes(folders: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Return the notes of the networks in some folders, and warn of damaged ones."""
    from memgen_bench.errors import DamagedError
    from memgen_bench.network.cache_files import cache_entries

    notes: dict[str, dict[str, Any]] = {}
    for entry in (entry for folder in folders for entry in cache_entries(folder)):
        try:
            if entry.state == "network":
                notes.setdefault(entry.network_id, entry.note())
        except DamagedError as error:
            say(f"memgen-bench: warning: {entry.files[0]}: damaged ({error})", warns=True)
    return notes


def _stored(results: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of networks and readings in a results folder; none if it does not exist."""
    from memgen_bench.results.mismatches import NETWORK_COLUMNS, READING_COLUMNS
    from memgen_bench.results.store import read_frame

    columns = {
        "networks": ("network_id", "dataset", "status", "message", *NETWORK_COLUMNS),
        "readings": ("key", "network_id", "status", "message", *READING_COLUMNS),
    }
    if not results.is_dir():
        return {table: [] for table in columns}
    return {table: read_frame(results, table, names).to_dicts() for table, names in columns.items()}
