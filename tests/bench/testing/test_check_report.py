"""The report of a check in Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from memgen_bench.testing.check import CheckResult
from memgen_bench.testing.check_report import Finding, markdown
from memgen_bench.testing.examination import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    PluginWriter = Callable[[str, str], Path]


def test_a_message_cannot_break_a_table() -> None:
    subject = Subject(noun="noise", name="n", plugin="p", files=(), data_dir=Path())
    verdict = CheckResult(check="c", status="failed", message="a | b <script>")
    text = markdown([Finding(subject, [verdict])], ["x <y>"])
    assert "| ✗ | c | 0.0 | a \\| b &lt;script> |" in text
    assert "- ✗ x &lt;y>" in text
    assert text.startswith("## memgen-bench check: 2 failed")
