"""`memgen-bench check`: check plugins against the contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import Places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from memgen_bench.testing.check_report import Finding
    from memgen_bench.testing.examination import Subject


@unfold
def check(
    *,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Decoders, models, features, data sets, noises, plugin files.", metavar="NAME…"
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is registered.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write Markdown for a pull request; - is the terminal.", metavar="FILE"),
    ] = None,
    places: Annotated[Places, options.where("data_dir")],
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Check plugins against the contract; exits with 1 where one does not keep it."""
    from rich.console import Console

    from memgen_bench.errors import UsageError
    from memgen_bench.testing.check_report import markdown
    from memgen_bench.testing.subjects import find_subjects, plugin_files

    if bool(targets) == everything:
        raise UsageError("name what to check (a decoder, FILE.py …), or say --all, not both")
    named = plugin_files(targets or ())
    registry = options.registry([*(plugins or ()), *map(Path, named)])
    files = tuple(dict.fromkeys([*(str(file.resolve()) for file in plugins or ()), *named]))
    subjects = find_subjects(registry, targets or (), files, places.data_dir)
    to_terminal = str(report) == "-"
    console = Console(highlight=False, stderr=to_terminal)
    findings = _examine(subjects, console)
    problems = [str(problem) for problem in registry.problems] if everything else []
    _conclude(findings, problems, console)
    if report:
        text = markdown(findings, problems)
        say(text) if to_terminal else _write(report, text)
    _end(findings, problems)


def _examine(subjects: Sequence[Subject], console: Console) -> list[Finding]:
    """Check all subjects; print every result of a single subject, else only notable ones."""
    from rich.text import Text

    from memgen_bench.testing.check_report import Finding, mark
    from memgen_bench.testing.examination import examine_in_child
    from memgen_bench.workers.child import Children

    findings = []
    with Children() as children:
        for subject in subjects:
            with console.status(f"{subject} …"):
                finding = Finding(subject, list(examine_in_child(subject, children)))
            seconds = sum(result.seconds for result in finding.results)
            console.print(Text(f"{subject}: {finding.counts}; {seconds:.1f} s"), soft_wrap=True)
            for result in finding.results if len(subjects) == 1 else finding.notable:
                about = f": {result.message}" if result.message else ""
                line = f"  {mark(result)} {result.check}{about}"
                console.print(Text(line), soft_wrap=True)
            findings.append(finding)
    return findings


def _conclude(findings: Sequence[Finding], problems: Sequence[str], console: Console) -> None:
    from rich.text import Text

    for problem in problems:
        console.print(Text(f"  ✗ {problem}"), soft_wrap=True)
    failed = [str(finding.subject) for finding in findings if not finding.ok]
    if len(findings) > 1 or problems:
        said = f"to mend: {', '.join(failed)}" if failed else "all of them keep the contract"
        console.print(Text(f"{len(findings)} checked; {said}"), soft_wrap=True)


def _write(report: Path, text: str) -> None:
    from memgen_bench.files.atomic import write_atomically

    write_atomically(report, text.encode())


def _end(findings: Sequence[Finding], problems: Sequence[str]) -> None:
    from memgen_bench.errors import UsageError

    if problems or not all(finding.ok for finding in findings):
        raise typer.Exit(1)
    if not any(finding.measured for finding in findings):
        raise UsageError(f"nothing was checked: {findings[0].notable[0].message}")
