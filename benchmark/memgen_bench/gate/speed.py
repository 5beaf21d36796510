"""The speed gate, which times two revisions of this repository in turns, each in a child."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench.errors import FixtureError, UsageError
from memgen_bench.gate import stopwatch
from memgen_bench.gate.slowdown import judge_count, judge_times
from memgen_bench.gate.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memgen_bench.fixtures.fixture import Fixture

ROUNDS = 12
# Folders of a checkout that may hold its sources.
_ROOTS = ("benchmark", "plugins", "leaderboard", "src")


def compare_revisions(
    base: str, decoders: Sequence[str], fixtures: Sequence[Fixture], rounds: int = ROUNDS
) -> list[Verdict]:
    """Compare the working tree of this checkout with another revision of it.

    Both are timed in turns on the last layer of each fixture, on one thread, in two children
    that stay alive throughout. Costs are counted once.

    Args:
        base: The git revision to compare with.
        decoders: Names of the decoders.
        fixtures: The fixtures to fit them on.
        rounds: Number of timings of each decoder in each revision.

    Raises:
        UsageError: This is no checkout, or git knows no such revision.
        FixtureError: A child ended, so that nothing can be measured.
    """
    head = Path(_git("rev-parse", "--show-toplevel"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        other = stack.enter_context(_worktree(base, folder / "base"))
        watches = [stack.enter_context(_Stopwatch(tree)) for tree in (other, head)]
        verdicts = []
        for fixture in fixtures:
            points = _save(fixture, folder)
            for decoder in decoders:
                verdicts += _compare(decoder, fixture.name, points, watches, rounds)
    return verdicts


def _compare(
    decoder: str, fixture: str, points: Path, watches: Sequence[_Stopwatch], rounds: int
) -> list[Verdict]:
    counts = [watch.ask(decoder, points, count=True) for watch in watches]  # this also warms up
    if error := counts[1].get("error"):
        return [Verdict(decoder=decoder, fixture=fixture, outcome="regression", message=error)]
    if error := counts[0].get("error"):
        message = f"the base cannot: {error}"
        return [Verdict(decoder=decoder, fixture=fixture, outcome="new", message=message)]
    times: list[list[dict[str, Any]]] = [[], []]
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            times[which].append(watches[which].ask(decoder, points, count=False))
    verdicts = []
    for step in ("fit", "predict"):
        where = f"{fixture} {step}"
        base, head = ([each[step]["ms"] for each in those] for those in times)
        verdicts.append(judge_times(decoder, where, base, head))
        for unit in counts[0][step].keys() & counts[1][step].keys():
            pair = (counts[0][step][unit], counts[1][step][unit])
            verdicts.append(judge_count(decoder, where, unit, *pair))
    return verdicts


class _Stopwatch:
    """A child process that times the decoders of one source tree."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree

    def __enter__(self) -> _Stopwatch:
        roots = [str(self._tree / root) for root in _ROOTS if (self._tree / root).is_dir()]
        self._child = subprocess.Popen(
            [sys.executable, "-P", stopwatch.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(roots)},
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._child.kill()
        self._child.communicate()

    def ask(self, decoder: str, points: Path, *, count: bool) -> dict[str, Any]:
        """Send a request to the child and return its answer."""
        assert self._child.stdin is not None  # both are pipes
        assert self._child.stdout is not None
        request = {"decoder": decoder, "points": str(points), "count": count}
        try:
            self._child.stdin.write(json.dumps(request) + "\n")
            self._child.stdin.flush()
            answer: dict[str, Any] = json.loads(self._child.stdout.readline())
        except (OSError, ValueError) as error:
            raise FixtureError(f"{self._tree}: {decoder} took its process down") from error
        return answer


@contextmanager
def _worktree(revision: str, folder: Path) -> Iterator[Path]:
    """Check a revision out into a folder, and remove it afterwards."""
    _git("worktree", "add", "--detach", "--quiet", str(folder), revision)
    try:
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise UsageError("--speed needs git") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1]
        raise UsageError(f"--speed compares revisions of a checkout: {reason}") from error
    return done.stdout.strip()


def _save(fixture: Fixture, folder: Path) -> Path:
    """Write the last layer and the labels of a fixture, on which decoders are timed."""
    train, validation, test = fixture.points(list(fixture.layers)[-1])
    labels, noisy = fixture.labels(0)
    path = folder / f"{fixture.name}.npz"
    np.savez(
        path,
        train=train,
        labels=labels,
        validation=validation,
        noisy=noisy,
        test=test,
        transition=fixture.transition,
    )
    return path
