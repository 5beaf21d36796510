"""`memgen-bench run`: plan, train, decode, store."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memgen_bench.cli import options

if TYPE_CHECKING:
    from memgen_bench.running.missing import MissingWork
    from memgen_bench.running.runner import Summary


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
    engine: Annotated[
        str, typer.Option(help="Where networks are computed; see list engines.", metavar="NAME")
    ] = "processes",
    scheduler: Annotated[
        str, typer.Option(help="What the engine connects to.", metavar="ADDRESS")
    ] = "",
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
    timeout: Annotated[
        float,
        typer.Option(help="Seconds for one step: an epoch, a pass, a reading; 0: no limit.", min=0),
    ] = 3600,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do everything again.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do again what failed.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first failed reading.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if any reading failed.")
    ] = False,
    resume_minutes: Annotated[
        float,
        typer.Option(
            "--resume-minutes",
            "--checkpoint-minutes",
            help="How often a long training saves its state, to be resumed from.",
            min=0,
        ),
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
        again = {"fresh": fresh, "retry_failed": retry_failed}
        _print_plan(suite, axes, results, again, plugins, places, slow=slow, engine=engine)
        if not dry_run:
            print(f"Nothing was run. To run all of it: memgen-bench run --suite {suite} --all")
        return
    how: dict[str, Any] = {
        "engine": engine,
        "scheduler": scheduler,
        "jobs": jobs,
        "memory": memory,
        "resume_minutes": resume_minutes,
        "timeout": timeout or None,
        "fresh": fresh,
        "retry_failed": retry_failed,
        "fail_fast": fail_fast,
        "slow": slow,
    }
    summary = _run(suite, axes, results, how, plugins, places)
    if summary.failed and (strict or fail_fast or not summary.ok):
        raise typer.Exit(1)


def _run(
    suite: str,
    axes: dict[str, Any],
    results: Path,
    how: dict[str, Any],
    plugins: list[Path] | None,
    places: dict[str, Any],
) -> Summary:
    import signal

    from rich.console import Console

    import memgen_bench
    from memgen_bench.cli.leaderboard import print_boards
    from memgen_bench.cli.progress import ProgressObserver
    from memgen_leaderboard.scoring.suite_scores import all_scores

    console = Console(stderr=True, highlight=False)
    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a cluster asks to end
    try:
        with ProgressObserver(console) as observer:
            summary = memgen_bench.run(
                suite,
                **axes,
                **places,
                **how,
                results=results,
                plugins=plugins or (),
                observer=observer,
            )
    except KeyboardInterrupt:
        print(
            "memgen-bench: stopped; what is finished is stored, and the same command goes on from "
            "here",
            file=sys.stderr,
        )
        raise typer.Exit(130) from None
    print_boards(all_scores(results))
    _print_summary(summary, time.monotonic() - started)
    return summary


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
    results: Path,
    again: dict[str, bool],
    plugins: list[Path] | None,
    places: dict[str, Any],
    *,
    slow: bool,
    engine: str,
) -> None:
    from collections import Counter

    from memgen_bench.running.missing import find_missing

    plan = options.plan(suite, axes, plugins, places, slow=slow, engine=engine)
    for reason in plan.missing_data.values():
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
    folders = options.network_folders(places["cache_dir"], places["shared_caches"])
    _print_todo(find_missing(plan, results, folders, **again))


def _print_todo(missing_work: MissingWork) -> None:
    from datetime import timedelta

    if not missing_work.networks:
        print("all of it is in the results")
        return
    readings = sum(len(keys) for _, keys in missing_work.networks.values())
    cached = f"({missing_work.cached} cached)"
    print(f"to do: {len(missing_work.networks)} networks {cached}, {readings} readings")
    estimate = missing_work.estimate
    if estimate.unknown == len(estimate.seconds):
        print("no timing of an earlier run is in the results: how long it takes is not known")
        return
    spent = timedelta(seconds=round(sum(estimate.weights)))
    guessed = f"; {estimate.unknown} networks are guessed" if estimate.unknown else ""
    print(f"about {spent} of computing, and {estimate.bytes / 2**20:.0f} MiB on disk{guessed}")
