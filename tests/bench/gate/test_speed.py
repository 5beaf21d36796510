"""The speed gate: decisions at their limits, counts that do not vary, two revisions in turns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from memgen_bench import cli
from memgen_bench.errors import UsageError
from memgen_bench.fixtures.fixture import load_fixtures
from memgen_bench.gate.slowdown import judge_count, judge_times
from memgen_bench.gate.speed import compare_revisions
from memgen_bench.gate.stopwatch import clock, count, measure

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]


def around(seconds: float, scatter: float = 0.001) -> list[float]:
    return list(np.random.default_rng(0).normal(seconds, scatter, 12))


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        (around(0.1), around(0.1), "fine"),
        (around(0.1), around(0.12), "fine"),  # 1.2 times
        (around(0.1), around(0.13), "regression"),
        (around(0.010), around(0.014), "fine"),  # 1.4 times, and 4 ms
        (around(0.010), around(0.016), "regression"),
        (around(0.1), around(0.15, 0.1), "inconclusive"),
        (around(0.13), around(0.1), "improvement"),
    ],
)
def test_limits_of_times(base: list[float], head: list[float], expected: str) -> None:
    assert judge_times("d", "f fit", base, head).outcome == expected


@pytest.mark.parametrize(
    ("head", "expected"), [(100, "fine"), (101, "regression"), (99, "improvement")]
)
def test_counts_are_compared_exactly(head: int, expected: str) -> None:
    assert judge_count("d", "f fit", "bytes", 100, head).outcome == expected


def test_bytes_passes_and_products_are_counted() -> None:
    X = torch.ones(30, 4)
    assert count(lambda: X @ torch.ones(4, 2), X) == {"bytes": 480, "passes": 1, "FLOPs": 480}
    assert count(lambda: (X[:15].sum(), X.T.T.mean()), X)["passes"] == 1.5
    assert count(lambda: torch.ones(3).sum(), X) == {}


@pytest.fixture
def points(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    y = np.arange(200) % 5
    X = (rng.standard_normal((200, 8)) + 3 * np.eye(5, 8)[y]).astype(np.float32)
    path = tmp_path / "points.npz"
    parts: dict[str, Any] = {"train": X, "labels": y, "validation": X, "noisy": y, "test": X}
    np.savez(path, transition=np.eye(5), **parts)
    return str(path)


@pytest.mark.parametrize("decoder", ["ncm", "logreg", "knn-5"])
def test_a_decoder_costs_the_same_each_time(decoder: str, points: str) -> None:
    first, again = (measure(decoder, points, count) for _ in range(2))
    assert first == again
    assert first["predict"]["passes"] >= 1
    assert measure(decoder, points, clock)["predict"]["ms"] > 0


def test_speed_needs_a_revision(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["memgen-bench", "gate", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return int(caught.value.code or 0), capsys.readouterr().err

    code, said = call("--speed")
    assert (code, "--base REV" in said) == (2, True)
    monkeypatch.chdir(tmp_path)
    code, said = call("--speed", "--base", "HEAD", "--decoder", "ncm")
    assert (code, "not a git repository" in said) == (2, True)


@pytest.mark.slow
def test_two_revisions_are_compared_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        done = subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True)
        return done.stdout

    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    for root in ("benchmark", "plugins"):
        subprocess.run(["cp", "-r", str(ROOT / root), root], check=True)
    git("add", "-A")
    git("commit", "-qm", "base")
    centroid = tmp_path / "plugins/memgen_plugins/decoders/layer/centroid.py"
    slower: Callable[[str], str] = lambda text: text.replace(  # noqa: E731 - used once, below
        "    def _fit(self, moments: Moments) -> None:\n",
        "    def _fit(self, moments: Moments) -> None:\n        import time; time.sleep(0.05)\n",
    )
    assert slower(centroid.read_text()) != centroid.read_text()
    centroid.write_text(slower(centroid.read_text()))
    small = next(each for each in load_fixtures() if each.about["dataset"] == "digits")
    verdicts = compare_revisions("HEAD", ["ncm", "velpic"], [small], rounds=8)
    worse = {
        (v.decoder, v.fixture.rpartition(" ")[2]) for v in verdicts if v.outcome == "regression"
    }
    assert worse == {("ncm", "fit")}
    assert {verdict.unit for verdict in verdicts} == {"ms", "bytes", "passes", "FLOPs"}
    assert len(git("worktree", "list").splitlines()) == 1
    with pytest.raises(UsageError, match="no-such"):
        compare_revisions("no-such", ["ncm"], [small], rounds=1)
