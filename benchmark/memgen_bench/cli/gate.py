"""`memgen-bench gate`: test whether decoders became less accurate or slower."""

from __future__ import annotations

import shlex
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from memgen_bench.fixtures.fixture import Fixture
    from memgen_bench.gate.readings import FixtureReading
    from memgen_bench.gate.verdicts import Verdict
    from memgen_bench.plugin.registry import Registry
    from memgen_bench.plugin.specs import DecoderSpec

app = typer.Typer(help="Has decoding become worse, or slower, than what was accepted?")

Baseline = Annotated[
    Path | None, typer.Option(help="What was accepted; by default what ships.", metavar="FILE")
]
Fixtures = Annotated[
    Path | None,
    typer.Option(
        help="A folder of fixtures; by default what ships.", metavar="DIR", file_okay=False
    ),
]
Decoders = Annotated[
    list[str] | None, typer.Option("--decoder", help="Only this decoder; may be repeated.")
]


@app.callback(invoke_without_command=True)
def gate(
    context: typer.Context,
    baseline: Baseline = None,
    fixtures: Fixtures = None,
    decoders: Decoders = None,
    slow: options.Slow = False,
    train: Annotated[
        bool, typer.Option("--train", help="Train small networks anew and decode them: minutes.")
    ] = False,
    speed: Annotated[
        bool, typer.Option("--speed", help="Compare times and counted costs of two revisions.")
    ] = False,
    base: Annotated[
        str, typer.Option(help="With --speed: the revision to compare with.", metavar="REV")
    ] = "",
    out: Annotated[
        list[Path] | None,
        typer.Option(help="A report: .md, .xml (JUnit) or .json; may be repeated.", metavar="FILE"),
    ] = None,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Compare what decoders predict on fixtures with what was accepted.

    With --train they are fitted on networks that are trained anew instead. With --speed what the
    working tree of a checkout takes is compared with what another revision takes.

    Exit codes: 0 fine, 1 a regression, 2 nothing or the wrong thing was measured, 3 inconclusive.
    """
    if context.invoked_subcommand:
        return
    _check_tier(train, speed, base, baseline=baseline, fixtures=fixtures, plugins=plugins)
    reports = _writers(out)
    with _measuring():
        if speed:
            verdicts = _speed(base, fixtures, decoders, slow=slow)
        elif train:
            verdicts = _training(baseline, decoders, plugins, slow=slow)
        else:
            verdicts = _accuracy(baseline, fixtures, decoders, plugins, slow=slow)
    told = _with_options(verdicts, baseline, fixtures, plugins)
    raise typer.Exit(_report(told, reports))


@app.command()
def accept(
    reason: Annotated[str, typer.Option(help="Why; stored with what is accepted.")],
    decoders: Annotated[
        list[str] | None, typer.Option("--decoder", help="A decoder; may be repeated.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every decoder.")] = False,
    train: Annotated[
        bool, typer.Option("--train", help="Accept what networks that are trained anew give.")
    ] = False,
    baseline: Baseline = None,
    fixtures: Fixtures = None,
    slow: options.Slow = False,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Accept the decoders' present predictions as the new baseline.

    A decoder of the baseline that is not registered any more is dropped from it.
    """
    from memgen_bench.errors import UsageError

    if bool(decoders) == everything:
        raise UsageError("name what to accept: --decoder NAME, or --all")
    if not reason.strip():
        raise UsageError("--reason: say why")
    _check_tier(train, fixtures=fixtures)
    with _measuring():
        if train:
            _accept_runs(baseline, decoders, plugins, reason.strip(), slow=slow)
        else:
            _accept(baseline, fixtures, decoders, plugins, reason.strip(), slow=slow)


@contextmanager
def _measuring() -> Iterator[None]:
    """Turn errors into `NotMeasuredError`, whose exit code is not that of a verdict."""
    from memgen_bench.errors import MemgenError, NotMeasuredError, one_line

    try:
        yield
    except typer.Exit:
        raise
    except MemgenError as error:
        raise NotMeasuredError(f"{error}") from error
    except Exception as error:
        raise NotMeasuredError(f"{one_line(error)} (unexpected; --debug shows where)") from error


def _accept(
    baseline: Path | None,
    fixtures: Path | None,
    decoders: list[str] | None,
    plugins: list[Path] | None,
    reason: str,
    *,
    slow: bool,
) -> None:
    from memgen_bench.errors import UsageError
    from memgen_bench.gate.accuracy import compare
    from memgen_bench.gate.baseline import SHIPPED, accept, nothing_accepted, read_baseline

    path, registry = baseline or SHIPPED, options.registry(plugins)
    known = set(read_baseline(path)["decoder"]) if path.exists() else set()
    dropped = [name for name in decoders or known if name in known - set(registry.decoders)]
    named = set(decoders) - set(dropped) if decoders else None
    specs = _specs(registry, named, slow=slow, accepted=known)
    frozen, readings = _read(specs, fixtures)
    wrong = [
        verdict
        for verdict in compare(readings, frozen, nothing_accepted())
        if verdict.outcome in ("leak", "regression")
    ]
    if wrong:
        _report(wrong, {})
        raise typer.Exit(1)
    # One draw of each null is kept, so that a missing null is noticed.
    kept = [reading for reading in readings if reading.draw == 0]
    if failed := [reading for reading in kept if reading.status == "failed"]:
        raise UsageError(f"{failed[0].decoder} fails on {failed[0].fixture}: {failed[0].message}")
    releases = {spec.name: registry.decoders.plugin(spec.name).release for spec in specs}
    accept(path, kept, frozen, releases, dropped=dropped, reason=reason)
    say(f"{path}: {counted(len(specs), 'decoder')} accepted, {len(dropped)} dropped; commit it")


def _accuracy(
    baseline: Path | None,
    fixtures: Path | None,
    decoders: list[str] | None,
    plugins: list[Path] | None,
    *,
    slow: bool,
) -> list[Verdict]:
    from memgen_bench.gate.accuracy import compare
    from memgen_bench.gate.baseline import SHIPPED, read_baseline

    accepted, registry = read_baseline(baseline or SHIPPED), options.registry(plugins)
    known = set(accepted["decoder"])
    specs = _specs(registry, decoders, slow=slow, accepted=known)
    frozen, readings = _read(specs, fixtures)
    missing = () if decoders else sorted(known - set(registry.decoders))
    return compare(readings, frozen, accepted, missing)


def _training(
    baseline: Path | None, decoders: list[str] | None, plugins: list[Path] | None, *, slow: bool
) -> list[Verdict]:
    from memgen_bench.gate.fresh_networks import SHIPPED, compare_runs, read_runs, train_and_decode

    accepted = read_runs(baseline or SHIPPED)
    known, registry = set(accepted["decoder"]), options.registry(plugins)
    names = [spec.name for spec in _specs(registry, decoders, slow=slow, accepted=known)]
    return compare_runs(accepted, train_and_decode(names, runs=1, plugins=plugins or ()))


def _accept_runs(
    baseline: Path | None,
    decoders: list[str] | None,
    plugins: list[Path] | None,
    reason: str,
    *,
    slow: bool,
) -> None:
    from memgen_bench.gate.fresh_networks import SHIPPED, accept_runs, read_runs

    path = baseline or SHIPPED
    known = set(read_runs(path)["decoder"]) if path.exists() else set()
    registry = options.registry(plugins)
    names = [spec.name for spec in _specs(registry, decoders, slow=slow, accepted=known)]
    accept_runs(path, names, reason, plugins=plugins or ())
    say(f"{path}: {counted(len(names), 'decoder')} accepted; commit it")


def _speed(
    base: str, fixtures: Path | None, decoders: list[str] | None, *, slow: bool
) -> list[Verdict]:
    from memgen_bench.fixtures.fixture import FROZEN, load_fixtures
    from memgen_bench.gate.speed import compare_revisions

    specs = _specs(options.registry(None), decoders, slow=slow)
    without = {"network", "trajectory"}
    alone = [spec.name for spec in specs if spec.scope == "layer" and not without & {*spec.needs}]
    scored = [fixture for fixture in load_fixtures(fixtures or FROZEN) if not fixture.null]
    return compare_revisions(base, alone, scored)


def _specs(
    registry: Registry,
    names: Iterable[str] | None,
    *,
    slow: bool,
    accepted: Collection[str] = (),
) -> list[DecoderSpec]:
    """Return the named decoders, or all but slow ones that are neither asked for nor accepted."""
    if names is not None:
        return [registry.decoders.find(name) for name in dict.fromkeys(sorted(names))]
    specs = [registry.decoders[name] for name in registry.decoders]
    return [spec for spec in specs if slow or not spec.slow or spec.name in accepted]


def _read(
    specs: Sequence[DecoderSpec], folder: Path | None
) -> tuple[dict[str, Fixture], list[FixtureReading]]:
    """Return the fixtures by name, and the readings of decoders on them."""
    from memgen_bench.compute import threads
    from memgen_bench.fixtures.fixture import FROZEN, load_fixtures
    from memgen_bench.gate.readings import read_fixtures

    frozen = {fixture.name: fixture for fixture in load_fixtures(folder or FROZEN)}
    started = time.monotonic()
    with threads(1):
        readings = list(read_fixtures(specs, frozen.values()))
    seconds = time.monotonic() - started
    decoders, fixtures = counted(len(specs), "decoder"), counted(len(frozen), "fixture")
    say(f"{decoders}, {fixtures}, {counted(len(readings), 'reading')}; {seconds:.0f} s")
    return frozen, readings


def _check_tier(
    train: bool,
    speed: bool = False,
    base: str = "",
    *,
    baseline: Path | None = None,
    fixtures: Path | None = None,
    plugins: list[Path] | None = None,
) -> None:
    """Refuse options that have no effect with --train or --speed."""
    from memgen_bench.errors import UsageError

    if speed != bool(base):
        raise UsageError("--speed and --base REV go together: say what to compare with")
    idle = {
        "--train": speed and train,
        "--baseline": speed and baseline,
        "--plugin": speed and plugins,
        "--fixtures": train and fixtures,
    }
    for option, given in idle.items():
        if given:
            tier = "--speed" if speed else "--train"
            raise UsageError(f"{option} means nothing to {tier}; leave one of them out")


def _writers(out: list[Path] | None) -> dict[Path, Callable[[Sequence[Verdict]], str]]:
    """Return the writer of each report file; called before anything is measured."""
    from memgen_bench.errors import UsageError
    from memgen_bench.gate.verdict_report import WRITERS

    for path in out or ():
        if path.suffix not in WRITERS:
            raise UsageError(f"{path}: unknown kind of report; call it {', '.join(WRITERS)}")
    return {path: WRITERS[path.suffix] for path in out or ()}


def _with_options(
    verdicts: Sequence[Verdict],
    baseline: Path | None,
    fixtures: Path | None,
    plugins: list[Path] | None,
) -> list[Verdict]:
    """Return verdicts whose commands have the user's own options, so that these can be copied."""
    files = [("--baseline", baseline), ("--fixtures", fixtures)]
    files += [("--plugin", file) for file in plugins or ()]
    words = shlex.join([word for name, file in files if file for word in (name, f"{file}")])
    command = "memgen-bench gate accept"
    whole = f"{command} {words}".rstrip()
    return [
        replace(verdict, message=verdict.message.replace(command, whole))
        if verdict.message
        else verdict
        for verdict in verdicts
    ]


def _report(
    verdicts: Sequence[Verdict], reports: dict[Path, Callable[[Sequence[Verdict]], str]]
) -> int:
    """Show verdicts, write the reports, and return the exit code.

    A report that cannot be written does not hide a regression.
    """
    from memgen_bench.errors import WriteError
    from memgen_bench.files.atomic import write_atomically
    from memgen_bench.gate.verdict_report import show
    from memgen_bench.gate.verdicts import exit_code

    show(verdicts, options.console())
    code = exit_code(verdicts)
    for path, write in reports.items():
        try:
            write_atomically(path, write(verdicts).encode())
        except WriteError as error:
            say(f"memgen-bench: error: {error}", warns=True)
            code = code or 2
    return code
