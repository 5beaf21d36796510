"""Child processes: answers, faults, time-outs, deaths; nothing of them is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from memgen_bench import UsageError
from memgen_bench.workers.child import Child, ChildLost, Children

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("true_children")
CALLS = """
import atexit, os, subprocess, sys, time
from memgen_bench import UsageError

def add(a, b, report):
    report(a)
    report(b)
    return a + b

def pid(report):
    return os.getpid()

def write_at_the_end(path, report):
    atexit.register(lambda: open(path, "x").close())

def fail(report):
    raise ValueError("no such thing")

def refuse(report):
    raise UsageError("what was asked for makes no sense")

def leave(code, report):
    os._exit(code)

def hang(report):
    while True:
        time.sleep(1)

def report_and_hang(report):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    report(child.pid)
    hang(report)

def slowly(report):
    for i in range(6):
        time.sleep(0.3)
        report(i)
    return "done"

def end_by_signal(report):
    os.kill(os.getpid(), 9)
"""


def nobody(_: Any) -> None:
    pass


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    (tmp_path / "calls.py").write_text(CALLS)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Child()
    yield made
    made.kill()


def test_it_answers_reports_and_persists(child: Child) -> None:
    reports: list[int] = []
    assert child.call("calls:add", 2, 3, report=reports.append) == 5
    assert reports == [2, 3]
    first, second = (child.call("calls:pid", report=nobody) for _ in range(2))
    assert first == second != os.getpid()


def test_faults_come_back_as_one_line_and_the_child_goes_on(child: Child) -> None:
    from memgen_bench import MemgenError

    with pytest.raises(MemgenError, match="ValueError: no such thing"):
        child.call("calls:fail", report=nobody)
    with pytest.raises(UsageError, match="makes no sense"):
        child.call("calls:refuse", report=nobody)
    with pytest.raises(MemgenError, match="nowhere"):
        child.call("calls:nowhere", report=nobody)
    assert child.call("calls:add", 1, 1, report=nobody) == 2


def test_a_time_out_is_counted_from_report_to_report(child: Child) -> None:
    assert child.call("calls:slowly", report=nobody, timeout=1.5) == "done"


def test_a_call_that_hangs_is_ended_with_all_that_it_started(child: Child) -> None:
    started: list[int] = []
    with pytest.raises(ChildLost, match="longer than 2 s") as lost:
        child.call("calls:report_and_hang", report=started.append, timeout=2)
    assert lost.value.error_type == "timeout"
    wait_for_the_end_of(started[0])


@pytest.mark.parametrize(
    ("call", "args", "said"),
    [
        ("leave", (7,), "exit code 7"),
        ("leave", (0,), "exit code 0"),
        ("end_by_signal", (), "SIGKILL"),
    ],
)
def test_a_death_is_told_with_its_reason(child: Child, call: str, args: Any, said: str) -> None:
    with pytest.raises(ChildLost, match=said) as lost:
        child.call(f"calls:{call}", *args, report=nobody)
    assert lost.value.error_type == "crash"


@pytest.mark.usefixtures("child")  # for its module
def test_children_are_reused_replaced_and_stopped() -> None:
    children = Children()
    first = children.call("calls:pid")
    assert children.call("calls:pid") == first
    with pytest.raises(ChildLost, match="exit code 1"):
        children.call("calls:leave", 1)
    second = children.call("calls:pid")
    assert second != first
    stopper = threading.Timer(0.5, children.stop)
    stopper.start()
    with pytest.raises(ChildLost) as lost:
        children.call("calls:hang")
    assert lost.value.error_type == "stopped"
    with pytest.raises(ChildLost, match="stopped"):
        children.call("calls:pid")
    children.close()
    with pytest.raises(ChildLost, match="stopped"):
        children.call("calls:pid")


@pytest.mark.usefixtures("child")
def test_children_end_with_their_context() -> None:
    with Children() as children:
        first = children.call("calls:pid")
        children.close()
        second = children.call("calls:pid")
        assert second != first
    assert not psutil.pid_exists(first)
    assert not psutil.pid_exists(second)


@pytest.mark.usefixtures("child")
def test_what_is_registered_for_the_end_of_a_child_is_done(tmp_path: Path) -> None:
    with Children() as children:
        children.call("calls:write_at_the_end", tmp_path / "written")
        assert not (tmp_path / "written").exists()
    assert (tmp_path / "written").exists()


@pytest.mark.usefixtures("child")
def test_children_are_stopped_by_an_error() -> None:
    children = Children()
    first = children.call("calls:pid")
    with pytest.raises(KeyboardInterrupt), children:
        raise KeyboardInterrupt
    assert not psutil.pid_exists(first)
    with pytest.raises(ChildLost, match="stopped"):
        children.call("calls:pid")


PARENT = """
import sys
from memgen_bench.workers.child import Child
sys.path.insert(0, sys.argv[1])
child = Child()
print(child.call("calls:pid", report=print), flush=True)
child.call("calls:hang", report=print)
"""


@pytest.mark.usefixtures("child")
def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_for_the_end_of(pid)


def wait_for_the_end_of(pid: int) -> None:
    """Wait a while: the system ends what was killed when it comes to it."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} is still there")
