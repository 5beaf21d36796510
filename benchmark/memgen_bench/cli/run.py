"""`memgen-bench run`: plan, train, decode, store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memgen_bench.cli import options

if TYPE_CHECKING:
    from memgen_bench.runner import Summary


def _axis(name: str, help_: str) -> Any:
    return typer.Option(f"--{name}", help=f"{help_}; may be repeated.", rich_help_panel="Axes")


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
    suite: Annotated[str, typer.Option(help="A suite's name or TOML file.")] = "core",
    everything: Annotated[bool, typer.Option("--all", help="Every combination.")] = False,
    models: Annotated[list[str] | None, _axis("model", "A model")] = None,
    datasets: Annotated[list[str] | None, _axis("dataset", "A data set")] = None,
    decoders: Annotated[list[str] | None, _axis("decoder", "A decoder")] = None,
    noises: Annotated[list[str] | None, _axis("noise", "A noise")] = None,
    rates: Annotated[list[float] | None, _axis("rate", "A shuffle rate in [0, 1]")] = None,
    seeds: Annotated[list[int] | None, _axis("seed", "A seed")] = None,
    kinds: Annotated[list[str] | None, _axis("kind", "memorized, clean or untrained")] = None,
    labels: Annotated[list[str] | None, _axis("labels", "corrupted or true")] = None,
    noise_seeds: Annotated[list[int] | None, _axis("noise-seed", "A noise seed")] = None,
    init_seeds: Annotated[list[int] | None, _axis("init-seed", "An initialisation seed")] = None,
    order_seeds: Annotated[list[int] | None, _axis("order-seed", "A data-order seed")] = None,
    train_size: Annotated[int | None, typer.Option(help="Training images to use.")] = None,
    test_size: Annotated[int | None, typer.Option(help="Test images to use.")] = None,
    validation_fraction: Annotated[
        float | None, typer.Option(help="Share of the training images to set aside.")
    ] = None,
    max_layer_dim: Annotated[
        int | None, typer.Option(help="Pool maps that are wider than this; 0: none.")
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="Take slow decoders too.")] = False,
    results: options.Results = Path("memgen-results"),
    data_dir: options.DataDir = None,
    cache_dir: options.CacheDir = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")] = "auto",
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
    places = {"data_dir": data_dir, "cache_dir": cache_dir, "device": device}
    start = everything or any(value is not None for value in axes.values())
    axes |= sizes
    if dry_run or not start:
        _print_plan(suite, axes, plugins, places, slow=slow)
        if not dry_run:
            print(f"Nothing was run. To run all of it: memgen-bench run --suite {suite} --all")
        return
    resources: dict[str, Any] = {"jobs": jobs, "memory": memory}
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
    from memgen_leaderboard.suite_scores import all_scores

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
    print_boards(all_scores(results))
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

    from memgen_bench.runner import default_cache_dir, default_data_dir, plan_run
    from memgen_bench.suites import load_suite

    plan = plan_run(
        load_suite(suite).replace(axes),
        options.registry(plugins),
        data_dir=places["data_dir"] or default_data_dir(),
        cache_dir=places["cache_dir"] or default_cache_dir(),
        device=places["device"],
        slow=slow,
        required_datasets=axes["datasets"] or (),
    )
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
