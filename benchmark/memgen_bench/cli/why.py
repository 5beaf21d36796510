"""`memgen-bench why`: which field made a cached network or a stored reading unusable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from memgen_bench.cli import options


def why(
    key: Annotated[str, typer.Argument(help="A network_id or a reading's key, or its beginning.")],
    suite: options.Suite = "core",
    models: options.Models = None,
    datasets: options.Datasets = None,
    decoders: options.Decoders = None,
    noises: options.Noises = None,
    rates: options.Rates = None,
    seeds: options.Seeds = None,
    kinds: options.Kinds = None,
    labels: options.Labels = None,
    noise_seeds: options.NoiseSeeds = None,
    init_seeds: options.InitSeeds = None,
    order_seeds: options.OrderSeeds = None,
    train_size: options.TrainSize = None,
    test_size: options.TestSize = None,
    validation_fraction: options.ValidationFraction = None,
    max_layer_dim: options.MaxLayerDim = None,
    slow: options.Slow = False,
    results: options.Results = Path("memgen-results"),
    data_dir: options.DataDir = None,
    cache_dir: options.CacheDir = None,
    shared_caches: options.SharedCaches = None,
    device: options.Device = "auto",
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Say where a network or reading is, and if it is not, how the nearest one differs.

    With the same options as the run in question: they say what is planned.
    """
    axes = {name: value for name, value in locals().items() if name in options.AXES}

    from memgen_bench.results.mismatches import Known, explain

    places = {"data_dir": data_dir, "cache_dir": cache_dir, "device": device}
    folders = options.network_folders(cache_dir, shared_caches)
    known = Known(
        plan=options.plan(suite, axes, plugins, places, slow=slow),
        notes=_notes(folders),
        **_stored(results),
    )
    for line in explain(known, key):
        print(line)


def _notes(folders: list[Path]) -> dict[str, dict[str, Any]]:
    """Return what the networks in some folders say of themselves; name those that are damaged."""
    from memgen_bench.errors import DamagedError
    from memgen_bench.network.cache_files import cache_entries

    notes: dict[str, dict[str, Any]] = {}
    for entry in (entry for folder in folders for entry in cache_entries(folder)):
        try:
            if entry.state == "network":
                notes.setdefault(entry.network_id, entry.note())
        except DamagedError as error:
            print(f"memgen-bench: warning: {entry.files[0]}: damaged ({error})", file=sys.stderr)
    return notes


def _stored(results: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of networks and readings in a results folder, which need not be there."""
    from memgen_bench.results.mismatches import NETWORK_COLUMNS, READING_COLUMNS
    from memgen_bench.results.store import read_frame

    columns = {
        "networks": ("network_id", "dataset", "status", "message", *NETWORK_COLUMNS),
        "readings": ("key", "network_id", "status", "message", *READING_COLUMNS),
    }
    if not results.is_dir():
        return {table: [] for table in columns}
    return {table: read_frame(results, table, names).to_dicts() for table, names in columns.items()}
