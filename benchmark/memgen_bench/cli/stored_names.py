"""Data sets that the results hold under another name, as their images and labels are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memgen_bench.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path


def with_stored_names(view: dict[str, Any], results: Path) -> dict[str, Any]:
    """Return the axes of a view with data sets named as in the results; say which that changes.

    Equal data have equal networks, which are stored under the name that came first.

    Args:
        view: The values of axes, by name.
        results: A results folder, or a folder of such.

    Raises:
        StoreError: There is no such folder, or it is damaged.
    """
    if "datasets" not in view:
        return view
    stored = _stored(results)
    names = {name: _name_in(stored, name) for name in view["datasets"]}
    for name, other in names.items():
        if name != other:
            say(f"{name}: the same images and labels as {other}, under whose name it stands here")
    return {**view, "datasets": tuple(dict.fromkeys(names.values()))}


def _stored(results: Path) -> dict[str, str]:
    """Return the names of the data sets in the results, with their fingerprints."""
    from memgen_bench.files.places import named_path
    from memgen_bench.results.snapshot import Snapshot
    from memgen_bench.results.store import read_frame
    from memgen_leaderboard.scoring.suite_scores import results_folders

    columns = ("dataset", "data_fingerprint")
    folders = results_folders(named_path(results))
    rows = (read_frame(Snapshot(each), "networks", columns).rows() for each in folders)
    return {name: fingerprint for each in rows for name, fingerprint in each}


def _name_in(stored: dict[str, str], name: str) -> str:
    """Return the name under which a data set is stored; its own where its data are not."""
    if name in stored:
        return name
    own = _fingerprint(name)
    return next((other for other, each in stored.items() if own and each == own), name)


def _fingerprint(name: str) -> str | None:
    """Return the fingerprint of a data set; None where it is unknown or not on disk."""
    from memgen_bench.data.datasets import describe
    from memgen_bench.errors import MemgenError
    from memgen_bench.files.places import find_places
    from memgen_bench.plugin.registry import load_registry

    places = find_places()
    try:
        spec = load_registry().datasets.find(name)
        return describe(spec, places.data_dir, places.cache_dir).fingerprint
    except (MemgenError, OSError):  # a name may be no path
        return None
