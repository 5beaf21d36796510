"""`memgen-bench cache`: list, check and remove trained networks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import Places

if TYPE_CHECKING:
    from memgen_bench.network.cache_files import CacheEntry

app = typer.Typer(help="List, check and clear out trained networks.", no_args_is_help=True)

Networks = Annotated[Places, options.where("cache_dir", "shared_caches")]

_DAY = 86_400.0
_WRITING = 1 / 24  # days during which a process may still write a temporary file


@app.command("list")
@unfold
def show(
    *,
    places: Networks,
    debug: options.Debug = False,
) -> None:
    """List trained networks, checkpoints, and what was set aside, the newest last."""
    from rich.filesize import decimal
    from rich.table import Table
    from rich.text import Text

    from memgen_bench.network.cache_files import cache_entries

    console = options.console()
    for folder in places.network_folders():
        table = Table("network", "state", "epochs", "train acc", "size", "age", "what it is")
        table.box, table.pad_edge = None, False
        table.columns[0].no_wrap = True
        for entry in sorted(cache_entries(folder), key=lambda entry: entry.modified):
            state, epochs, accuracy, what = _about(entry)
            cells = (state, epochs, accuracy, decimal(entry.size), _age(entry), what)
            table.add_row(*map(Text, (entry.network_id, *cells)))
        console.print(f"{folder}:", markup=False, soft_wrap=True)
        console.print(table if table.row_count else "nothing")


def _about(entry: CacheEntry) -> tuple[str, str, str, str]:
    """Return state, epochs, train accuracy, and a name or the fault, as text."""
    from memgen_bench.errors import DamagedError

    if entry.state in ("set aside", "temporary"):
        return entry.state, "", "", entry.files[0].name
    try:
        note = entry.note()
        record = note["record"]
        train = record["train_accuracy"][-1]
        accuracy = record["accuracy_given"] if entry.state == "network" else train
        return entry.state, str(len(record["loss"])), f"{accuracy:.4f}", note["network"]
    except DamagedError as error:
        return "damaged", "", "", str(error)


def _age(entry: CacheEntry) -> str:
    minutes = (time.time() - entry.modified) / 60
    if minutes < 60:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 60 * 48 else f"{minutes / 60 / 24:.0f} d"


@app.command()
@unfold
def size(
    *,
    places: Networks,
    debug: options.Debug = False,
) -> None:
    """Say how much room trained networks and the rest take up."""
    from collections import Counter

    from rich.filesize import decimal

    from memgen_bench.network.cache_files import cache_entries

    for folder in places.network_folders():
        there = cache_entries(folder)
        count = Counter(entry.state for entry in there)
        say(f"{folder}: {decimal(sum(entry.size for entry in there))}")
        for state in sorted(count):
            room = sum(entry.size for entry in there if entry.state == state)
            say(f"  {state}: {count[state]}, {decimal(room)}")


@app.command()
@unfold
def verify(
    *,
    places: Networks,
    debug: options.Debug = False,
) -> None:
    """Check every checksum; name what is damaged, and change nothing."""
    from memgen_bench.network.cache_files import cache_entries, trajectory_entry

    checked = damaged = 0
    folders = places.network_folders()
    for entry in (entry for folder in folders for entry in cache_entries(folder)):
        if entry.state in ("network", "checkpoint"):
            checked += 1
            for each in (entry, trajectory_entry(entry.folder, entry.network_id)):
                if each.there and (fault := _fault(each)):
                    damaged += 1
                    say(f"{each.files[0]}: damaged ({fault})")
    say(f"networks and checkpoints: {checked} checked, {damaged} damaged")
    if damaged:
        raise typer.Exit(1)


@app.command()
@unfold
def prune(
    *,
    older_than: Annotated[
        float | None,
        typer.Option(help="Also what was written so many days ago.", min=0, metavar="DAYS"),
    ] = None,
    keep_suites: Annotated[
        list[str] | None,
        typer.Option(
            "--keep-suite",
            help="Also what no such suite plans; with --older-than, what is both. May be repeated.",
            metavar="NAME",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    places: Annotated[Places, options.where("data_dir", "cache_dir")],
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Remove what is damaged or left behind, and checkpoints of networks that are trained."""
    from rich.filesize import decimal

    from memgen_bench.network.cache_files import cache_entries

    (folder,) = places.network_folders()
    kept = _planned(keep_suites, places, plugins) if keep_suites else None
    count = room = 0
    for entry in cache_entries(folder):
        if reason := _reason(entry, older_than, kept):
            names = ", ".join(file.name for file in entry.there)
            say(f"{'would remove' if dry_run else 'removing'} {names}: {reason}")
            count, room = count + 1, room + entry.size
            if not dry_run:
                entry.remove()
    say(f"{count} {'would be' if dry_run else 'were'} removed from {folder}: {decimal(room)}")


def _reason(entry: CacheEntry, older_than: float | None, kept: set[str] | None) -> str | None:
    """Return the reason to remove an entry, or None to keep it."""
    from memgen_bench.network.cache_files import network_entry

    days = (time.time() - entry.modified) / _DAY
    if entry.state == "set aside":
        return "set aside as damaged"
    if entry.state == "temporary":
        return "left behind" if days > _WRITING else None
    if fault := _fault(entry):
        return f"damaged ({fault})"
    if entry.state == "checkpoint" and not _fault(network_entry(entry.folder, entry.network_id)):
        return "its network is trained"
    if older_than is not None and days < older_than:
        return None
    if kept is not None:
        return None if _planned_as(entry) in kept else "planned by no suite that is kept"
    return f"{days:.0f} days old" if older_than is not None else None


def _fault(entry: CacheEntry) -> str | None:
    """Return the fault of a network, trajectory or resume file, or None."""
    from memgen_bench.errors import DamagedError

    try:
        entry.read()
    except DamagedError as error:
        return str(error)
    return None


def _planned(suites: list[str], places: Places, plugins: list[Path] | None) -> set[str]:
    """Return the networks of some suites, whose data must be there: networks are known by them."""
    from memgen_bench.plan.suite import load_suite
    from memgen_bench.running.runner import plan_run

    registry = options.registry(plugins)
    plans = [
        plan_run(
            suite,
            registry,
            places,
            device="cpu",
            required_datasets=[pair.dataset for pair in suite.combinations()],
        )
        for suite in map(load_suite, suites)
    ]
    return {network.network_id for plan in plans for network in plan.networks}


def _planned_as(entry: CacheEntry) -> str:
    """Return the id that a plan on the CPU gives to a cached network, or to its origin.

    The origin of a checkpoint is the network at the end of the training; that of a successor is the
    network whose decoded labels it was trained on.
    """
    from memgen_bench.hashing import network_id

    identity = entry.note()["identity"]
    own = {name: value for name, value in identity.items() if name not in ("epoch", "labels")}
    return network_id({**own, "device": "cpu"})
