"""`memgen-bench submit` and `verify-submission`: rows that others can compute again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import DEFAULT_RESULTS
from memgen_bench.plan.axes import Changes
from memgen_bench.wording import counted

if TYPE_CHECKING:
    from memgen_bench.plugin.registry import Plugin, Registry
    from memgen_bench.submission.recomputation import Difference


@unfold
def submit(
    *,
    decoder: Annotated[str, typer.Argument(help="The decoder's name.")],
    out: Annotated[
        Path,
        typer.Option(
            help="Where the bundle goes: a folder that is empty or not there yet.",
            metavar="DIR",
            file_okay=False,
        ),
    ],
    suite: options.Suite = "core",
    changes: Annotated[Changes, options.all_but("decoders")],
    results: options.Results = DEFAULT_RESULTS,
    places: options.Places,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Bundle a decoder with its rows, so that others can verify them and take them to their board.

    All readings of the decoder on the suite must be in the results, and it must keep the contract.
    """
    import polars as pl

    from memgen_bench.errors import UsageError
    from memgen_bench.plugin.composition import split_points
    from memgen_bench.results.store import read_frame
    from memgen_bench.submission.bundle import require_free, write_bundle

    require_free(out)  # before what takes long
    registry = options.registry(plugins)
    registry.decoders.find(decoder)
    plan = options.plan(suite, {**changes, "decoders": (decoder,)}, places, plugins)
    own = [
        reading.key
        for network in plan.networks
        for reading in network.readings
        if reading.decoding.decoder == split_points(decoder)[0]
    ]
    rows = read_frame(results, "readings").filter(pl.col("key").is_in(own))
    if rows.height < len(own):
        there = ", ".join(read_frame(results, "plans", ["suite"])["suite"].unique().sort())
        raise UsageError(
            f"{results} has {rows.height} of {len(own)} readings of {decoder} on suite {suite}. If "
            f"you ran another (there are results of {there or 'none'}), name it and its options; "
            f"or first: memgen-bench run --suite {suite} --decoder {decoder} --all --results "
            f"{results} (and your --plugin)"
        )
    networks = read_frame(results, "networks")
    networks = networks.filter(pl.col("network_id").is_in(rows["network_id"].unique().implode()))
    bundle = write_bundle(
        out,
        decoder,
        plan.suite,
        _plugin(registry, decoder),
        readings=rows,
        networks=networks,
        report=_report(registry, decoder, plugins, places.data_dir),
    )
    say(f"{out}: {counted(rows.height, 'reading')} of {decoder}, digest {bundle.digest}")
    say(f"commit the folder; whoever gets it runs memgen-bench verify-submission {out}")


def _plugin(registry: Registry, decoder: str) -> Plugin:
    """Return the plugin that a decoder comes from; of a chain the plugin file, if there is one."""
    from memgen_bench.errors import UsageError

    parts = registry.decoders.stages(decoder)
    plugins = list(dict.fromkeys(registry.decoders.plugin(part) for part in parts))
    own = [plugin for plugin in plugins if plugin.distribution == "file"]
    if len(own) > 1:
        raise UsageError(f"{decoder} is of several plugin files; a bundle has one: join them")
    return (own or plugins)[0]


def _report(registry: Registry, decoder: str, plugins: list[Path] | None, data_dir: Path) -> str:
    from memgen_bench.errors import UsageError
    from memgen_bench.testing.check_report import Finding, markdown
    from memgen_bench.testing.examination import examine_in_child
    from memgen_bench.testing.subjects import find_subjects
    from memgen_bench.workers.child import Children

    files = tuple(str(file.resolve()) for file in plugins or ())
    (subject,) = (
        each
        for each in find_subjects(registry, [decoder], files, data_dir)
        if each.noun == "decoder"
    )
    with Children() as children:
        finding = Finding(subject, list(examine_in_child(subject, children)))
    if not finding.ok:
        failed = [each.check for each in finding.results if each.status == "failed"]
        raise UsageError(f"{decoder} fails {', '.join(failed)}: see memgen-bench check {decoder}")
    return markdown([finding], [])


@unfold
def verify(
    *,
    folder: Annotated[Path, typer.Argument(help="The bundle.", metavar="DIR", file_okay=False)],
    sample: Annotated[int, typer.Option(help="Readings to compute again.", min=1)] = 10,
    seed: Annotated[
        int | None, typer.Option(help="Of the sample; by default nobody can know it before.")
    ] = None,
    board: Annotated[
        Path | None,
        typer.Option(
            help="Results that take the rows if all are the same.", metavar="DIR", file_okay=False
        ),
    ] = None,
    places: options.Places,
    device: options.Device = "cpu",
    debug: options.Debug = False,
) -> None:
    """Compute a random sample of a submission's readings again and compare them bit by bit.

    The decoder runs on this machine, in a process of its own: read it first. Networks that are not
    cached are trained. Exits with 1 where a reading differs.
    """
    from memgen_bench.cli.progress import show_epoch
    from memgen_bench.errors import UsageError
    from memgen_bench.running.runner import plan_run
    from memgen_bench.submission.bundle import read_bundle
    from memgen_bench.submission.recomputation import (
        accept,
        choose,
        compare,
        recompute,
        require_own_rows,
    )
    from memgen_bench.workers.questions import Questions

    bundle = read_bundle(folder)
    registry = options.registry(bundle.plugin_files)
    try:
        registry.decoders.find(bundle.decoder)
    except UsageError:
        release = f"{bundle.plugin['distribution']} {bundle.plugin['version']}"
        raise UsageError(
            f"{bundle.decoder!r} is not here: install {release}, which offers it"
        ) from None
    files = tuple(str(file.resolve()) for file in bundle.plugin_files)
    plan = plan_run(bundle.suite, registry, places, questions=Questions(plugin_files=files))
    keys = choose(bundle, plan, sample, seed)
    require_own_rows(bundle, plan)
    settings = options.run_settings(places, bundle.plugin_files, device)
    found = recompute(plan, keys, settings, show_epoch)
    differing = compare(bundle.readings(), found["readings"])
    differing += compare(bundle.networks(), found["networks"], "networks")
    if differing:
        _differ(differing, bundle.about["environment"].get("processor", "unknown"))
    say(f"{len(keys)} of {bundle.readings().height} readings computed again: the same bit by bit")
    if board:
        say(f"{board} has the rows; the record is {accept(bundle, plan, keys, board)}")


def _differ(differing: list[Difference], processor: str) -> None:
    for each in differing:
        say(f"  ✗ {each}", warns=True)
    say(
        f"not as submitted: {counted(len(differing), 'row')} (processor there: {processor}; "
        "another one may round otherwise)",
        warns=True,
    )
    raise typer.Exit(1)
