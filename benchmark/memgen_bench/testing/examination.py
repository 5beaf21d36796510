"""All checks of one plugin, in this process or in one that may hang or crash."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memgen_bench.child import ChildLost, Children
from memgen_bench.compute import threads
from memgen_bench.errors import one_line
from memgen_bench.materials import registry
from memgen_bench.testing import datasets, decoders, models, noises
from memgen_bench.testing.check import Broken, Check, Inapplicable, Verdict
from memgen_bench.testing.planted import DecoderBench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from memgen_bench.testing.check import Status

_KINDS: dict[str, tuple[Callable[..., Any], tuple[Check, ...]]] = {
    "decoder": (DecoderBench, decoders.CHECKS),
    "model": (models.ModelBench, models.CHECKS),
    "dataset": (datasets.DatasetBench, datasets.CHECKS),
    "noise": (noises.NoiseBench, noises.CHECKS),
}
SECONDS = 120.0  # that a check may take before its process is killed


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is checked.

    Attributes:
        noun: `decoder`, `model`, `dataset` or `noise`.
        name: Its name.
        plugin: Who offers it, for a report.
        files: Plugin files that are not installed.
        data_dir: Where data sets are.
    """

    noun: str
    name: str
    plugin: str
    files: tuple[str, ...]
    data_dir: Path

    def __str__(self) -> str:
        return f"{self.noun} {self.name}"


class Examination:
    """The checks of a subject, each made once.

    Args:
        subject: What is checked.
        made: Verdicts that are there already, by check.

    Attributes:
        checks: In their order.
    """

    def __init__(self, subject: Subject, made: Mapping[str, Verdict] | None = None) -> None:
        self.checks = checks_of(subject.noun)
        spec = registry(subject.files).catalogue(subject.noun).find(subject.name)
        self._bench = _bench(subject, spec)
        self._verdicts = dict(made or {})

    def verdict(self, check: Check) -> Verdict:
        """Return what becomes of a check; not applicable where an essential one failed before."""
        if check.name not in self._verdicts:
            self._verdicts[check.name] = self._blocked(check) or _verdict(check, self._bench)
        return self._verdicts[check.name]

    def _blocked(self, check: Check) -> Verdict | None:
        for earlier in self.checks[: self.checks.index(check)]:
            if earlier.essential and (found := self.verdict(earlier)).status != "passed":
                mend, see = f"mend {earlier.name} first", f"see {earlier.name}"
                why = mend if found.status == "failed" else see
                return Verdict(check=check.name, status="not applicable", message=why)
        return None


def checks_of(noun: str) -> tuple[Check, ...]:
    """Return the checks of a noun."""
    return _KINDS[noun][1]


def _bench(subject: Subject, spec: Any) -> Any:
    make = _KINDS[subject.noun][0]
    return make(spec, subject.data_dir) if subject.noun == "dataset" else make(spec)


def _verdict(check: Check, bench: Any) -> Verdict:
    """Make a check on one thread, as a worker computes."""
    started = time.perf_counter()
    status: Status = "passed"
    message = ""
    try:
        with threads(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check.run(bench)
    except Broken as broken:
        status, message = "failed", str(broken)
    except Inapplicable as reason:
        status, message = "not applicable", str(reason)
    except (Exception, SystemExit) as error:
        status, message = "failed", f"{one_line(error)}; mend it"
    return Verdict(
        check=check.name,
        status=status,
        message=one_line(message),
        seconds=time.perf_counter() - started,
    )


def examine(
    subject: Subject, made: Mapping[str, Verdict], report: Callable[[Verdict], None]
) -> None:
    """Report the verdict of each check that is not made yet."""
    examination = Examination(subject, made)
    for check in examination.checks:
        if check.name not in made:
            report(examination.verdict(check))


def examine_in_child(subject: Subject, children: Children) -> Iterator[Verdict]:
    """Return the verdict of each check, made in a child; see `examine`.

    A check that hangs or takes its process down has failed, and the others go on in a new one.
    """
    verdicts: dict[str, Verdict] = {}
    checks = [check.name for check in checks_of(subject.noun)]

    def take(verdict: Verdict) -> None:
        verdicts[verdict.check] = verdict

    while left := [name for name in checks if name not in verdicts]:
        try:
            children.call(
                "memgen_bench.testing.examination:examine",
                subject,
                verdicts,
                report=take,
                timeout=SECONDS,
            )
        except ChildLost as lost:
            left = [name for name in checks if name not in verdicts]
            message = f"{lost}; mend what hangs or takes the process down"
            verdicts[left[0]] = Verdict(check=left[0], status="failed", message=message)
    yield from (verdicts[name] for name in checks)
