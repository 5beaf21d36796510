"""`pytest --memgen-plugin NAME`: each check of the contract is a test.

Every run of pytest imports this module if memgen-bench is installed, so heavy modules are imported
only when the option is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memgen_bench.testing.check import Check
    from memgen_bench.testing.examination import Examination, Subject


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--memgen-plugin`."""
    parser.getgroup("memgen-bench").addoption(
        "--memgen-plugin",
        action="append",
        default=[],
        metavar="NAME",
        help="Check a decoder, model, data set, noise or plugin FILE.py of memgen-bench; "
        "may be repeated.",
    )


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose among the tests
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the checks of the named plugins."""
    targets = config.getoption("memgen_plugin")
    if targets:
        for subject in _subjects(targets):
            group = _Group.from_parent(session, name=str(subject), nodeid=str(subject))
            items += group.collect_checks(subject)


def _subjects(targets: list[str]) -> list[Subject]:
    from memgen_bench import MemgenError, load_registry
    from memgen_bench.files.places import default_data_dir
    from memgen_bench.testing.subjects import find_subjects, plugin_files

    files = plugin_files(targets)
    try:
        return find_subjects(load_registry(files), targets, files, default_data_dir())
    except MemgenError as error:
        raise pytest.UsageError(f"--memgen-plugin: {error}") from error


class _Group(pytest.Collector):
    """The checks of one subject, with a common examination."""

    examination: Examination

    def collect(self) -> list[pytest.Item]:
        """Return no items: `collect_checks` adds the checks."""
        return []

    def collect_checks(self, subject: Subject) -> Iterator[pytest.Item]:
        """Yield the checks of a subject."""
        from memgen_bench.testing.examination import Examination

        self.examination = Examination(subject)
        for check in self.examination.checks:
            yield _CheckItem.from_parent(self, name=check.name, check=check)


class _CheckItem(pytest.Item):
    """One check as a test."""

    parent: _Group

    def __init__(self, *, check: Check, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check

    def runtest(self) -> None:
        """Fail or skip with the check's message."""
        result = self.parent.examination.result(self.check)
        if result.status == "failed":
            pytest.fail(f"{result.message}\n\nThe contract: {self.check.demand}", pytrace=False)
        if result.status == "not applicable":
            pytest.skip(result.message)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the file and the name for reports."""
        return Path(__file__), None, f"{self.parent.name}: {self.name}"
