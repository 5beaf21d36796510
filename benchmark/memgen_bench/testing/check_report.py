"""The report of an examination, as Markdown for a pull request."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_bench.testing.check import CheckResult, Status
    from memgen_bench.testing.examination import Subject

_MARKS: dict[Status, str] = {"passed": "✓", "failed": "✗", "not applicable": "–"}


@dataclass(frozen=True)
class Finding:
    """A subject and the results of its checks.

    Attributes:
        subject: The subject that was checked.
        results: The result of each check.
    """

    subject: Subject
    results: Sequence[CheckResult]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(result.status != "failed" for result in self.results)

    @property
    def measured(self) -> bool:
        """Whether more than one check applied, so not only that of the specification."""
        return sum(result.status != "not applicable" for result in self.results) > 1

    @property
    def notable(self) -> Sequence[CheckResult]:
        """The failed checks; if nothing was measured, the first check that explains why."""
        wanted = {"failed"} if self.measured else {"failed", "not applicable"}
        found = [result for result in self.results if result.status in wanted]
        return found if self.measured else found[:1]

    @property
    def counts(self) -> str:
        """The numbers of checks that passed, failed and did not apply, as text."""
        found = Counter(result.status for result in self.results)
        return ", ".join(f"{found[status]} {status}" for status in _MARKS if found[status])


def mark(result: CheckResult) -> str:
    """Return the mark of a result, one character."""
    return _MARKS[result.status]


def markdown(findings: Sequence[Finding], problems: Sequence[str]) -> str:
    """Return findings as Markdown.

    Args:
        findings: The subjects with their results.
        problems: The plugins that cannot be loaded, with the reasons.
    """
    from memgen_bench import __version__

    failed = sum(not finding.ok for finding in findings) + len(problems)
    lines = [
        f"## memgen-bench check: {'passed' if not failed else f'{failed} failed'}",
        "",
        f"memgen-bench {__version__}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}",
    ]
    lines += ["", *(f"- ✗ {_cell(problem)}" for problem in problems)] if problems else []
    for finding in findings:
        lines += ["", *_section(finding)]
    return "\n".join(lines) + "\n"


def _section(finding: Finding) -> list[str]:
    """Return a subject's table, folded if no check failed."""
    title = f"{finding.subject} ({finding.subject.plugin}): {finding.counts}"
    table = ["|  | check | seconds | what to mend |", "|---|---|--:|---|"]
    table += [
        f"| {mark(result)} | {result.check} | {result.seconds:.1f} | {_cell(result.message)} |"
        for result in finding.results
    ]
    if not finding.ok:
        return [f"### {_cell(title)}", "", *table]
    return [f"<details><summary>{_cell(title)}</summary>", "", *table, "", "</details>"]


def _cell(text: str) -> str:
    """Return text escaped for the cell of a Markdown table."""
    return text.replace("|", "\\|").replace("<", "&lt;")
