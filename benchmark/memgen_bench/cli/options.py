"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer

from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import MadeOf
from memgen_bench.files import places as files
from memgen_bench.plan import axes

if TYPE_CHECKING:
    from rich.console import Console

    from memgen_bench.messages import RunSettings
    from memgen_bench.plan.plan import Plan
    from memgen_bench.plugin.registry import Registry


def _set_debug(debug: bool) -> None:
    if debug:
        os.environ["MEMGEN_DEBUG"] = "1"  # an environment variable reaches worker processes


Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A plugin file that is not installed.", metavar="FILE.py"),
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show tracebacks.", callback=_set_debug, is_eager=True)
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data root; else MEMGEN_DATA, else a folder in your cache.",
        metavar="DIR",
        file_okay=False,
    ),
]
CacheDir = Annotated[
    Path | None,
    typer.Option(
        help="Trained networks; else MEMGEN_CACHE, else your cache.", metavar="DIR", file_okay=False
    ),
]
SharedCaches = Annotated[
    list[Path] | None,
    typer.Option(
        "--shared-cache",
        help="A further folder of trained networks, only read; may be repeated.",
        metavar="DIR",
        file_okay=False,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")]
# No default here: each command states its own.
Results = Annotated[
    Path, typer.Option(help="Folder of the results.", metavar="DIR", file_okay=False)
]

Suite = Annotated[str, typer.Option(help="A suite's name or TOML file.")]
Slow = Annotated[bool, typer.Option("--slow", help="Take slow decoders too.")]


def only(*names: str) -> MadeOf:
    """Return the mark of a parameter that holds the values of some axes and sizes, by name."""

    def given(**values: Any) -> dict[str, Any]:
        return {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if value is not None
        }

    return MadeOf(given, {name: _option(name) for name in names})


def all_but(*names: str) -> MadeOf:
    """Return the mark of a parameter that holds the values of all other axes and sizes."""
    return only(*(name for name in axes.CHANGES if name not in names))


def _option(name: str) -> Any:
    """Return the option of an axis, for a value of it, or of a size."""
    kind, about = get_args(axes.CHANGES[name])
    value, _ = get_args(kind)
    if get_origin(value) is not Sequence:
        return Annotated[kind, typer.Option(help=f"{about}.")]
    option = typer.Option(
        flag(name),
        help=f"{about}; may be repeated.",
        rich_help_panel="Axes",
    )
    return Annotated[GenericAlias(list, get_args(value)) | None, option]


def flag(name: str) -> str:
    """Return how the option of an axis, a size or a limit of a run is called."""
    hint = axes.CHANGES.get(name)  # of lists and sizes alone
    many = hint is not None and get_origin(get_args(get_args(hint)[0])[0]) is Sequence
    plural = many and name != "labels"  # one value says which labels
    return f"--{(name.removesuffix('s') if plural else name).replace('_', '-')}"


def where(*names: str) -> MadeOf:
    """Return the mark of a parameter that holds `Places`, named by some options or by all three."""
    known = {"data_dir": DataDir, "cache_dir": CacheDir, "shared_caches": SharedCaches}
    return MadeOf(files.find_places, {name: known[name] for name in names or known})


Changes = Annotated[axes.Changes, all_but()]
Places = Annotated[files.Places, where()]
View = Annotated[dict[str, Any], only("rates", "datasets", "models", "noises")]
ShownSuite = Annotated[
    str | None, typer.Option("--suite", help="Only this suite, as core or 'core v1'.")
]


def shown_kinds(kinds: Sequence[str]) -> list[str]:
    """Return the kinds to show; those that did not memorize are of two, noisy and clean."""
    each = [(kind, "unmemorized-clean") if kind == "unmemorized" else (kind,) for kind in kinds]
    return [kind for several in each for kind in several]


def console() -> Console:
    """Return the console for tables; in a pipe or a file it is 140 characters wide."""
    from rich.console import Console

    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = 140
    return found


def registry(plugins: list[Path] | None) -> Registry:
    """Load the registry, and warn of installed plugins that are broken."""
    from memgen_bench.plugin.registry import load_registry

    loaded = load_registry(plugins or ())
    for problem in loaded.problems:
        say(f"memgen-bench: warning: {problem}", warns=True)
    return loaded


def plan(
    suite: str,
    changes: axes.Changes,
    places: files.Places,
    plugins: list[Path] | None,
    *,
    device: str = "cpu",
    slow: bool = False,
    engine: str = "processes",
) -> Plan:
    """Plan a suite with the options given, to be run by an engine that is there."""
    from memgen_bench.plan.suite import load_suite
    from memgen_bench.running.runner import plan_run
    from memgen_bench.workers.child import Children
    from memgen_bench.workers.questions import Questions

    known = registry(plugins)
    known.engines.find(engine)
    with Children() as children:
        return plan_run(
            load_suite(suite).replace(changes),
            known,
            places,
            questions=Questions(children.call, _resolved(plugins)),
            device=device,
            slow=slow,
            required_datasets=changes.get("datasets") or (),
        )


def run_settings(places: files.Places, plugins: list[Path] | None, device: str) -> RunSettings:
    """Return how networks are computed in this process."""
    from memgen_bench.messages import RunSettings

    network_dir, *shared_caches = places.network_folders()
    return RunSettings(
        plugin_files=_resolved(plugins),
        data_dir=places.data_dir,
        network_dir=network_dir,
        shared_caches=tuple(shared_caches),
        device=device,
    )


def _resolved(plugins: list[Path] | None) -> tuple[str, ...]:
    return tuple(str(file.resolve()) for file in plugins or ())
