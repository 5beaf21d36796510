"""What an examination found, as Markdown for a pull request."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_bench.testing.check import Status, Verdict
    from memgen_bench.testing.examination import Subject

_MARKS: dict[Status, str] = {"passed": "✓", "failed": "✗", "not applicable": "–"}


@dataclass(frozen=True)
class Finding:
    """A subject and its verdicts.

    Attributes:
        subject: What was checked.
        verdicts: One for each check.
    """

    subject: Subject
    verdicts: Sequence[Verdict]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(verdict.status != "failed" for verdict in self.verdicts)

    @property
    def measured(self) -> bool:
        """Whether more was found than what a specification says of itself."""
        return sum(verdict.status != "not applicable" for verdict in self.verdicts) > 1

    @property
    def notable(self) -> Sequence[Verdict]:
        """The failed checks, and what says why nothing could be checked."""
        wanted = {"failed"} if self.measured else {"failed", "not applicable"}
        found = [verdict for verdict in self.verdicts if verdict.status in wanted]
        return found if self.measured else found[:1]

    @property
    def counts(self) -> str:
        """How many checks passed, failed and did not apply."""
        found = Counter(verdict.status for verdict in self.verdicts)
        return ", ".join(f"{found[status]} {status}" for status in _MARKS if found[status])


def mark(verdict: Verdict) -> str:
    """Return one character for a verdict."""
    return _MARKS[verdict.status]


def markdown(findings: Sequence[Finding], problems: Sequence[str]) -> str:
    """Return findings as Markdown.

    Args:
        findings: What was checked.
        problems: Plugins that do not load.
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
    """Return a subject's table, folded where there is nothing to mend."""
    title = f"{finding.subject} ({finding.subject.plugin}): {finding.counts}"
    table = ["|  | check | seconds | what to mend |", "|---|---|--:|---|"]
    table += [
        f"| {mark(verdict)} | {verdict.check} | {verdict.seconds:.1f} | {_cell(verdict.message)} |"
        for verdict in finding.verdicts
    ]
    if not finding.ok:
        return [f"### {_cell(title)}", "", *table]
    return [f"<details><summary>{_cell(title)}</summary>", "", *table, "", "</details>"]


def _cell(text: str) -> str:
    """Return text that neither ends a table's cell nor is taken for HTML."""
    return text.replace("|", "\\|").replace("<", "&lt;")
