"""`memgen-bench run`: plan, train, decode, store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memgen_bench.cli import options

if TYPE_CHECKING:
    from memgen_bench.runner import Summary


def _bytes(text: str) -> int:
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        size = int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        size = 0
    if size <= 0:
        raise typer.BadParameter(f"{text!r} is no size; write one as 500MB or 4GiB")
    return size


def run(
    suite: options.Suite = "core",
    everything: Annotated[bool, typer.Option("--all", help="Every combination.")] = False,
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
    jobs: Annotated[
        int | None, typer.Option(help="Networks at once; cores ÷ threads by default.", min=1)
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            help="For activations, as 500MB or 4GiB; half of what is free by default.",
            parser=_bytes,
            metavar="SIZE",
        ),
    ] = None,
    checkpoint_minutes: Annotated[
        float, typer.Option(help="How often a long training saves its state.", min=0)
    ] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Train networks on corrupted labels until they memorize them, and decode their layers.

    An axis option replaces the suite's values; with neither --all nor an axis option the plan is
    printed. What is in the results already is not computed again.
    """
    axes: dict[str, Any] = {
        "models": models,
        "datasets": datasets,
        "decoders": decoders,
        "noises": noises,
        "rates": rates,
        "seeds": seeds,
        "kinds": kinds,
        "labels": labels,
        "noise_seeds": noise_seeds,
        "init_seeds": init_seeds,
        "order_seeds": order_seeds,
    }
    sizes = {
        "train_size": train_size,
        "test_size": test_size,
        "validation_fraction": validation_fraction,
        "max_layer_dim": max_layer_dim,
    }
    places = {
        "data_dir": data_dir,
        "cache_dir": cache_dir,
        "shared_caches": shared_caches or (),
        "device": device,
    }
    start = everything or any(value is not None for value in axes.values())
    axes |= sizes
    if dry_run or not start:
        _print_plan(suite, axes, plugins, places, slow=slow)
        if not dry_run:
            print(f"Nothing was run. To run all of it: memgen-bench run --suite {suite} --all")
        return
    resources: dict[str, Any] = {
        "jobs": jobs,
        "memory": memory,
        "checkpoint_minutes": checkpoint_minutes,
    }
    _run(suite, axes, results, resources, plugins, places, slow=slow)


def _run(
    suite: str,
    axes: dict[str, Any],
    results: Path,
    resources: dict[str, Any],
    plugins: list[Path] | None,
    places: dict[str, Any],
    *,
    slow: bool,
) -> None:
    import sys

    from rich.console import Console

    import memgen_bench
    from memgen_bench.cli.leaderboard import print_boards
    from memgen_bench.cli.progress import ProgressObserver
    from memgen_leaderboard.tables import boards

    console = Console(stderr=True, highlight=False)
    started = time.monotonic()
    try:
        with ProgressObserver(console) as observer:
            summary = memgen_bench.run(
                suite,
                **axes,
                **places,
                slow=slow,
                results=results,
                **resources,
                plugins=plugins or (),
                observer=observer,
            )
    except KeyboardInterrupt:
        print("memgen-bench: stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    print_boards(boards(results))
    _print_summary(summary, time.monotonic() - started)
    if summary.failed and not summary.ok:
        raise typer.Exit(1)


def _print_summary(summary: Summary, seconds: float) -> None:
    for reason in summary.missing_data.values():
        print(f"left out: {reason}")
    parts = [f"{summary.ok} ok / {summary.planned} planned"]
    parts += [f"{n} {what}" for n, what in _exceptions(summary) if n]
    print(f"{summary.networks} networks, readings {', '.join(parts)}; {seconds:.0f} s")
    print(
        f"Results are in {summary.results}; next: memgen-bench leaderboard "
        f"--results {summary.results}"
    )


def _exceptions(summary: Summary) -> list[tuple[int, str]]:
    return [
        (summary.skipped, "skipped"),
        (summary.failed, "failed"),
        (summary.not_memorized, "networks did not memorize"),
    ]


def _print_plan(
    suite: str,
    axes: dict[str, Any],
    plugins: list[Path] | None,
    places: dict[str, Any],
    *,
    slow: bool,
) -> None:
    from collections import Counter

    plan = options.plan(suite, axes, plugins, places, slow=slow)
    for reason in plan.skipped.values():
        print(f"left out: {reason}")
    for (model, dataset, kind), count in Counter(
        (network.model, network.data.name, network.kind) for network in plan.networks
    ).items():
        print(f"{model} on {dataset}: {count} {kind}")
    for fault in dict.fromkeys(network.fault for network in plan.networks if network.fault):
        print(f"will fail: {fault}")
    decoders = {d.decoder for network in plan.networks for d in network.decoders if d.decoder}
    print(f"decoders: {', '.join(sorted(decoders))}")
    print(f"{len(plan.networks)} networks, {plan.reading_count} readings")
