"""Reports of verdicts: in a terminal, as Markdown, as JUnit XML, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from memgen_bench.gate.verdicts import OUTCOMES, exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from memgen_bench.gate.verdicts import Verdict

_HEADINGS = ("decoder", "on", "outcome", "before", "now", "changed", "message")
_ENDS = {
    0: "passed",
    1: "FAILED",
    2: "FAILED: nothing, or the wrong thing, was measured",
    3: "INCONCLUSIVE",
}


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return one line: the result of the gate, and the number of verdicts of each outcome."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    parts = [f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome]]
    return f"gate {_ENDS[exit_code(verdicts)]}: {', '.join(parts) or 'no verdict'}"


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print verdicts that are not fine, and the summary, to a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in _HEADINGS:
        number = heading in ("before", "now", "changed")
        table.add_column(heading, justify="right" if number else "left", no_wrap=number)
    for verdict in _worst_first(verdicts):
        table.add_row(*(Text(cell) for cell in _cells(verdict)))
    if table.row_count:
        console.print(table)
    console.print(Text(summary(verdicts)))


def markdown(verdicts: Sequence[Verdict]) -> str:
    """Return Markdown for a pull request: the summary, and verdicts that are not fine."""
    lines = [f"**{summary(verdicts)}**"]
    rows = [[_escaped(cell) for cell in _cells(verdict)] for verdict in _worst_first(verdicts)]
    if rows:
        aligned = [" --: " if h in ("before", "now", "changed") else " :-- " for h in _HEADINGS]
        lines += ["", f"| {' | '.join(_HEADINGS)} |", f"|{'|'.join(aligned)}|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def junit(verdicts: Sequence[Verdict]) -> str:
    """Return JUnit XML with a test case for each verdict."""
    failed = [each for each in verdicts if OUTCOMES[each.outcome]]
    attributes = {"name": "memgen-bench gate", "tests": f"{len(verdicts)}"}
    skipped = sum(each.outcome in ("skipped", "new") for each in verdicts)
    counts = {"failures": f"{len(failed)}", "errors": "0", "skipped": f"{skipped}"}
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", {**attributes, **counts})
    for verdict in verdicts:
        names = {
            "classname": f"gate.{verdict.decoder}",
            "name": f"{verdict.fixture} {verdict.unit}",
        }
        case = ElementTree.SubElement(suite, "testcase", names)
        text = f"{verdict.outcome}: {verdict.message}"
        if verdict in failed:
            ElementTree.SubElement(case, "failure", type=verdict.outcome, message=text)
        elif verdict.outcome in ("skipped", "new"):
            ElementTree.SubElement(case, "skipped", message=text)
        elif verdict.message:
            ElementTree.SubElement(case, "system-out").text = text
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def as_json(verdicts: Sequence[Verdict]) -> str:
    """Return all verdicts, the exit code and the summary as JSON."""
    fields = {
        "exit_code": exit_code(verdicts),
        "summary": summary(verdicts),
        "verdicts": [asdict(verdict) for verdict in verdicts],
    }
    return json.dumps(fields, indent=1, allow_nan=False) + "\n"


# The writers of report files by the ending of the file's name.
WRITERS = {".md": markdown, ".xml": junit, ".json": as_json}


def _worst_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    order = list(OUTCOMES)
    shown = [verdict for verdict in verdicts if verdict.outcome not in ("fine", "skipped")]
    return sorted(shown, key=lambda verdict: order.index(verdict.outcome))


def _cells(verdict: Verdict) -> tuple[str, ...]:
    changed = "" if verdict.changed is None else f"{100 * verdict.changed:.1f} %"
    values = (_value(verdict.before, verdict.unit), _value(verdict.after, verdict.unit))
    return (verdict.decoder, verdict.fixture, verdict.outcome, *values, changed, verdict.message)


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    scale = {"%": 100, "ms": 1000}.get(unit)
    return f"{value:.4g} {unit}" if scale is None else f"{scale * value:.2f} {unit}"


def _escaped(text: str) -> str:
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return text
