"""All checks of one plugin, made in this process or in a child that may hang or crash."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memgen_bench.compute import threads
from memgen_bench.data.planned_data import registry
from memgen_bench.errors import one_line
from memgen_bench.global_state import preserved
from memgen_bench.testing import datasets, decoders, features, models, noises
from memgen_bench.testing.check import Broken, Check, CheckResult, Inapplicable
from memgen_bench.testing.planted import DecoderBench
from memgen_bench.workers.child import ChildLost, Children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from memgen_bench.testing.check import Status

_KINDS: dict[str, tuple[Callable[..., Any], tuple[Check, ...]]] = {
    "decoder": (DecoderBench, decoders.CHECKS),
    "model": (models.ModelBench, models.CHECKS),
    "feature": (features.FeaturesBench, features.CHECKS),
    "dataset": (datasets.DatasetBench, datasets.CHECKS),
    "noise": (noises.NoiseBench, noises.CHECKS),
}
SECONDS = 120.0  # the most that a check may take before its process is killed


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The subject of an examination: a decoder, model, data set or noise, or features.

    Attributes:
        noun: `decoder`, `model`, `feature`, `dataset` or `noise`.
        name: The subject's name.
        plugin: The plugin that offers it, for a report.
        files: Plugin files that are not installed.
        data_dir: The data root.
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
        subject: The subject to check.
        made: Results of checks that were made already, by name.

    Attributes:
        checks: The checks, in order.
    """

    def __init__(self, subject: Subject, made: Mapping[str, CheckResult] | None = None) -> None:
        self.checks = checks_of(subject.noun)
        spec = registry(subject.files).catalogue(subject.noun).find(subject.name)
        self._bench = _bench(subject, spec)
        self._results = dict(made or {})

    def result(self, check: Check) -> CheckResult:
        """Return the result of a check; not applicable if an essential one before it failed."""
        if check.name not in self._results:
            self._results[check.name] = self._blocked(check) or _result(check, self._bench)
        return self._results[check.name]

    def _blocked(self, check: Check) -> CheckResult | None:
        for earlier in self.checks[: self.checks.index(check)]:
            if earlier.essential and (found := self.result(earlier)).status != "passed":
                mend, see = f"mend {earlier.name} first", f"see {earlier.name}"
                why = mend if found.status == "failed" else see
                return CheckResult(check=check.name, status="not applicable", message=why)
        return None


def checks_of(noun: str) -> tuple[Check, ...]:
    """Return the checks for a noun, such as `decoder`."""
    return _KINDS[noun][1]


def _bench(subject: Subject, spec: Any) -> Any:
    make = _KINDS[subject.noun][0]
    return make(spec, subject.data_dir) if subject.noun == "dataset" else make(spec)


def _result(check: Check, bench: Any) -> CheckResult:
    """Make a check on one thread and return its result."""
    started = time.perf_counter()
    status: Status = "passed"
    message = ""
    try:
        with preserved(), threads(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check.run(bench)
    except Broken as broken:
        status, message = "failed", str(broken)
    except Inapplicable as reason:
        status, message = "not applicable", str(reason)
    except (Exception, SystemExit) as error:
        status, message = "failed", f"{one_line(error)}; mend it"
    return CheckResult(
        check=check.name,
        status=status,
        message=one_line(message),
        seconds=time.perf_counter() - started,
    )


def examine(
    subject: Subject, made: Mapping[str, CheckResult], report: Callable[[CheckResult], None]
) -> None:
    """Make and report all checks that were not made yet."""
    examination = Examination(subject, made)
    for check in examination.checks:
        if check.name not in made:
            report(examination.result(check))


def examine_in_child(subject: Subject, children: Children) -> Iterator[CheckResult]:
    """Return the results of all checks, made in a child; see `examine`.

    A check that hangs or ends its process has failed; the others continue in a new child.
    """
    results: dict[str, CheckResult] = {}
    checks = [check.name for check in checks_of(subject.noun)]

    def take(result: CheckResult) -> None:
        results[result.check] = result

    while left := [name for name in checks if name not in results]:
        try:
            children.call(
                "memgen_bench.testing.examination:examine",
                subject,
                results,
                report=take,
                timeout=SECONDS,
            )
        except ChildLost as lost:
            left = [name for name in checks if name not in results]
            message = f"{lost}; mend what hangs or takes the process down"
            results[left[0]] = CheckResult(check=left[0], status="failed", message=message)
    yield from (results[name] for name in checks)
