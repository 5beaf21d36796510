"""`memgen-bench run`: plan, train, decode, store."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import DEFAULT_RESULTS, Places
from memgen_bench.plan.axes import Axes
from memgen_bench.wording import counted

if TYPE_CHECKING:
    from memgen_bench.plan.plan import Plan
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


@unfold
def run(
    *,
    suite: options.Suite = "core",
    everything: Annotated[bool, typer.Option("--all", help="Every combination.")] = False,
    changes: options.Changes,
    slow: options.Slow = False,
    results: options.Results = DEFAULT_RESULTS,
    places: options.Places,
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
    start = everything or changes.keys() & Axes.__annotations__.keys()
    if dry_run or not start:
        plan = options.plan(
            suite, changes, places, plugins, device=device, slow=slow, engine=engine
        )
        _print_plan(plan)
        _print_missing(plan, results, places, fresh=fresh, retry_failed=retry_failed)
        if not dry_run:
            words = shlex.join([*sys.argv[1:], "--all"])
            say(f"Nothing was run. To run all of it: memgen-bench {words}")
        return
    how: dict[str, Any] = {
        "slow": slow,
        "results": results,
        "device": device,
        "engine": engine,
        "scheduler": scheduler,
        "jobs": jobs,
        "memory": memory,
        "timeout": timeout or None,
        "fresh": fresh,
        "retry_failed": retry_failed,
        "fail_fast": fail_fast,
        "resume_minutes": resume_minutes,
        "plugins": plugins or (),
    }
    summary = _run(suite, **changes, **vars(places), **how)
    if summary.failed and (strict or fail_fast or not summary.ok):
        raise typer.Exit(1)


def _run(suite: str, **keywords: Any) -> Summary:
    import signal

    import memgen_bench
    from memgen_bench.cli.leaderboard import by_points, print_boards
    from memgen_bench.cli.progress import CommandObserver
    from memgen_leaderboard.scoring.suite_scores import View, all_scores

    boards = by_points(keywords.get("decoders") or (), ["training"])

    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # sent by clusters to end jobs
    try:
        summary = memgen_bench.run(suite, **keywords, observer=CommandObserver())
    except KeyboardInterrupt:
        say(
            "memgen-bench: stopped; what is finished is stored, and the same command goes on from "
            "here",
            warns=True,
        )
        raise typer.Exit(130) from None
    views = [View(fitted_on=points) for points in boards]
    scores = all_scores(summary.snapshot, views)
    print_boards(scores)
    _print_summary(summary, time.monotonic() - started)
    say(f"Results are in {summary.results}{_next_step(summary, has_board=bool(scores))}")
    return summary


def _print_summary(summary: Summary, seconds: float) -> None:
    for reason in summary.left_out:
        say(f"left out: {reason}")
    for reason in summary.reasons:
        say(reason)
    counts = [f"{summary.ok} ok / {summary.planned} planned"]
    counts += _shortfalls(summary)
    networks = counted(summary.networks, "network")
    say(f"{networks}, readings {', '.join(counts)}; {seconds:.0f} s")


def _next_step(summary: Summary, *, has_board: bool) -> str:
    if has_board:
        return f"; next: memgen-bench leaderboard --results {summary.results}"
    if summary.failed:
        return "; next: mend the above, and run the same again with --retry-failed"
    return ""


def _shortfalls(summary: Summary) -> list[str]:
    found = {
        f"{summary.skipped} skipped": summary.skipped,
        f"{summary.failed} failed": summary.failed,
        f"{counted(summary.not_memorized, 'network')} did not memorize": summary.not_memorized,
    }
    return [said for said, number in found.items() if number]


def _print_plan(plan: Plan) -> None:
    from collections import Counter

    for reason in plan.left_out:
        say(f"left out: {reason}")
    for notice in plan.notices:
        say(f"note: {notice}")
    for (model, dataset, kind), networks in Counter(
        (network.model, network.data.name, network.kind) for network in plan.networks
    ).items():
        say(f"{model} on {dataset}: {networks} {kind}")
    for fault in dict.fromkeys(network.fault for network in plan.networks if network.fault):
        say(f"will fail: {fault}")
    decoders = {d.decoder for network in plan.networks for d in network.decoders if d.decoder}
    say(f"decoders: {', '.join(sorted(decoders))}")
    say(f"{counted(len(plan.networks), 'network')}, {counted(plan.reading_count, 'reading')}")


def _print_missing(plan: Plan, results: Path, places: Places, **again: bool) -> None:
    from datetime import timedelta

    from memgen_bench.results.snapshot import Snapshot
    from memgen_bench.running.missing import find_missing

    missing_work = find_missing(plan, Snapshot(results), places.network_folders(), **again)
    for notice in missing_work.notices:
        say(f"note: {notice}")
    if not missing_work.networks:
        say("all of it is in the results")
        return
    networks = counted(len(missing_work.networks), "network")
    readings = counted(sum(len(keys) for _, keys in missing_work.networks.values()), "reading")
    say(f"to do: {networks} ({missing_work.cached} cached), {readings}")
    estimate = missing_work.estimate
    if estimate.unknown == len(estimate.seconds) and estimate.typical is None:
        say("no timing of an earlier run is in the results: how long it takes is not known")
        return
    spent = timedelta(seconds=round(sum(estimate.weights)))
    unknown = counted(estimate.unknown, "network")
    guessed = f"; guessed for {unknown}" if estimate.unknown else ""
    say(f"about {spent} of computing, and {estimate.bytes / 2**20:.0f} MiB on disk{guessed}")
