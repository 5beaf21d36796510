"""Options that several verbs share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from memgen_bench.messages import RunSettings
    from memgen_bench.plan.plan import Plan
    from memgen_bench.plugin.registry import Registry

# The options that replace an axis or a size of a suite.
AXES = (
    *("models", "datasets", "decoders", "noises", "rates", "seeds", "kinds", "labels"),
    *("noise_seeds", "init_seeds", "order_seeds"),
    *("train_size", "test_size", "validation_fraction", "max_layer_dim"),
)


def _axis(name: str, help_: str) -> Any:
    return typer.Option(f"--{name}", help=f"{help_}; may be repeated.", rich_help_panel="Axes")


def _set_debug(debug: bool) -> None:
    if debug:
        os.environ["MEMGEN_DEBUG"] = "1"  # worker processes see it too


Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A plugin file that is not installed.", metavar="FILE.py"),
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show tracebacks.", callback=_set_debug, is_eager=True)
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Data root; else MEMGEN_DATA, else a folder in your cache.", metavar="DIR"),
]
CacheDir = Annotated[
    Path | None,
    typer.Option(help="Trained networks; else MEMGEN_CACHE, else your cache.", metavar="DIR"),
]
SharedCaches = Annotated[
    list[Path] | None,
    typer.Option(
        "--shared-cache",
        help="A further folder of trained networks, only read; may be repeated.",
        metavar="DIR",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")]
# No default here: each verb states its own.
Results = Annotated[Path, typer.Option(help="Folder of the results.", metavar="DIR")]

Suite = Annotated[str, typer.Option(help="A suite's name or TOML file.")]
Models = Annotated[list[str] | None, _axis("model", "A model")]
Datasets = Annotated[list[str] | None, _axis("dataset", "A data set")]
Decoders = Annotated[list[str] | None, _axis("decoder", "A decoder")]
Noises = Annotated[list[str] | None, _axis("noise", "A noise")]
Rates = Annotated[list[float] | None, _axis("rate", "A shuffle rate in [0, 1]")]
Seeds = Annotated[list[int] | None, _axis("seed", "A seed")]
Kinds = Annotated[list[str] | None, _axis("kind", "memorized, clean or untrained")]
ShownKinds = Annotated[
    list[str] | None, _axis("kind", "memorized, unmemorized (met noise, and did not), clean …")
]
Labels = Annotated[list[str] | None, _axis("labels", "corrupted or true")]
NoiseSeeds = Annotated[list[int] | None, _axis("noise-seed", "A noise seed")]
InitSeeds = Annotated[list[int] | None, _axis("init-seed", "An initialisation seed")]
OrderSeeds = Annotated[list[int] | None, _axis("order-seed", "A data-order seed")]
TrainSize = Annotated[int | None, typer.Option(help="Training images to use.")]
TestSize = Annotated[int | None, typer.Option(help="Test images to use.")]
ValidationFraction = Annotated[
    float | None, typer.Option(help="Share of the training images to set aside.")
]
MaxLayerDim = Annotated[
    int | None, typer.Option(help="Pool maps that are wider than this; 0: none.")
]
Slow = Annotated[bool, typer.Option("--slow", help="Take slow decoders too.")]


def view(
    rates: Sequence[float] | None, datasets: Sequence[str] | None, models: Sequence[str] | None
) -> dict[str, Any]:
    """Return which part of the results to show, as a view of the leaderboard takes it."""
    return {
        "rates": tuple(rates or ()),
        "datasets": tuple(datasets or ()),
        "models": tuple(models or ()),
    }


def network_folders(cache_dir: Path | None, shared: Sequence[Path] | None) -> list[Path]:
    """Return the folders of trained networks, the one that is written to first."""
    from memgen_bench.files.places import default_cache_dir
    from memgen_bench.network.cache_files import network_dir, shared_folders

    return [network_dir(cache_dir or default_cache_dir()), *shared_folders(shared or ())]


def run_settings(
    data_dir: Path | None,
    cache_dir: Path | None,
    shared: Sequence[Path] | None,
    plugins: Sequence[Path] | None,
    device: str,
) -> RunSettings:
    """Return how networks are computed in this process."""
    from memgen_bench.files.places import default_data_dir
    from memgen_bench.messages import RunSettings

    network_dir, *shared_caches = network_folders(cache_dir, shared)
    return RunSettings(
        plugin_files=tuple(str(file.resolve()) for file in plugins or ()),
        data_dir=data_dir or default_data_dir(),
        network_dir=network_dir,
        shared_caches=tuple(shared_caches),
        device=device,
    )


def console() -> Console:
    """Return where tables are printed; a pipe or a file has no width to fit into."""
    from rich.console import Console

    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = 140
    return found


def registry(plugins: list[Path] | None) -> Registry:
    """Load the registry and say which installed plugins are broken."""
    from memgen_bench.plugin.registry import load_registry

    loaded = load_registry(plugins or ())
    for problem in loaded.problems:
        print(f"memgen-bench: warning: {problem}", file=sys.stderr)
    return loaded


def plan(
    suite: str,
    axes: dict[str, Any],
    plugins: list[Path] | None,
    places: dict[str, Any],
    *,
    slow: bool,
    engine: str = "processes",
) -> Plan:
    """Plan a suite with the options given, to be run by an engine that is there."""
    from memgen_bench.files.places import default_cache_dir, default_data_dir
    from memgen_bench.plan.suite import load_suite
    from memgen_bench.running.runner import plan_run, questions_for

    known, files = registry(plugins), tuple(str(file.resolve()) for file in plugins or ())
    known.engines.find(engine)
    return plan_run(
        load_suite(suite).replace(axes),
        known,
        data_dir=places["data_dir"] or default_data_dir(),
        cache_dir=places["cache_dir"] or default_cache_dir(),
        questions=questions_for(known.engines["processes"], files, None),
        device=places["device"],
        slow=slow,
        required_datasets=axes["datasets"] or (),
    )
