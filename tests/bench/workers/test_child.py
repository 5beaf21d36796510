"""Child processes: answers, faults, time-outs, deaths; nothing of them is left behind."""

from __future__ import annotations

import os
import random
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
import atexit, ctypes, os, signal, subprocess, sys, time
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

def fork_and_leave(report):
    if not os.fork():
        time.sleep(600)
        os._exit(0)
    os._exit(5)

def disconnect(report):
    os.closerange(3, 50)
    time.sleep(600)

def print_and_leave(report):
    print("as I said", flush=True)
    os.write(2, b"the last \\x1b[31mword \\xff\\n\\n")
    os._exit(6)

def interrupt(report):
    raise KeyboardInterrupt("of its own")

def end_generator(report):
    raise GeneratorExit

class Own(BaseException):
    def __str__(self):
        raise RuntimeError

class OurOwn(UsageError):
    def __init__(self, first, second):
        super().__init__("a reason")

def raise_own(report):
    raise Own

def raise_our_own(report):
    raise OurOwn(1, 2)

def stop_oneself(report):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        os.kill(os.getpid(), number)
        os.kill(os.getppid(), number)
    return "still here"

def terminate_a_fork(report):
    pid = os.fork()
    if not pid:
        time.sleep(600)
    time.sleep(0.2)
    os.kill(pid, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def start_a_daemon_and_hold_the_lock(report):
    told, tell = os.pipe()
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.write(tell, str(os.getpid()).encode())
            time.sleep(600)
        os._exit(0)
    report(int(os.read(told, 99)))
    report(os.getpid())
    ctypes.PyDLL(None).sleep(600)  # C code that keeps the interpreter's lock

def find(module, report):
    return __import__(module).__file__
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


def test_a_death_is_noticed_at_once_where_a_grandchild_keeps_the_connection(child: Child) -> None:
    child.call("calls:pid", report=nobody)
    with pytest.raises(ChildLost, match="exit code 5") as lost:
        child.call("calls:fork_and_leave", report=nobody, timeout=100)
    assert lost.value.error_type == "crash"


def test_who_closes_the_connection_is_ended(child: Child) -> None:
    pid = child.call("calls:pid", report=nobody)
    with pytest.raises(ChildLost, match="closed the connection") as lost:
        child.call("calls:disconnect", report=nobody)
    assert lost.value.error_type == "crash"
    wait_for_the_end_of(pid)


def test_what_it_printed_last_is_quoted_in_one_printable_line(
    child: Child, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ChildLost) as lost:
        child.call("calls:print_and_leave", report=nobody)
    assert str(lost.value).endswith("exit code 6; it printed last: the last \\x1b[31mword \\xff")
    assert "as I said\n" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("interrupt", "KeyboardInterrupt: of its own"),
        ("end_generator", "GeneratorExit:"),
        ("raise_own", "Own: (its text cannot be made: RuntimeError)"),
        ("raise_our_own", "a reason"),
    ],
)
def test_whatever_is_raised_comes_back_by_name(
    child: Child, call: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from memgen_bench import MemgenError

    with pytest.raises(MemgenError) as raised:
        child.call(f"calls:{call}", report=nobody)
    assert str(raised.value) == said
    assert child.call("calls:add", 1, 1, report=nobody) == 2
    assert capfd.readouterr().err == ""


def test_signals_to_all_processes_of_a_run_are_left_to_the_run(child: Child) -> None:
    assert child.call("calls:stop_oneself", report=nobody) == "still here"
    assert child.call("calls:add", 1, 1, report=nobody) == 2


def test_processes_that_a_plugin_forks_can_be_terminated(child: Child) -> None:
    assert child.call("calls:terminate_a_fork", report=nobody) == -15


@pytest.mark.parametrize("ending", ["kill", "terminate"])
@pytest.mark.usefixtures("child")
def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path, ending: str) -> None:
    text = PARENT.replace("calls:hang", "calls:start_a_daemon_and_hold_the_lock")
    parent = subprocess.Popen(
        [sys.executable, "-u", "-c", text, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        pids = [int(parent.stdout.readline()) for _ in range(3)]
        getattr(parent, ending)()
    for pid in pids:
        wait_for_the_end_of(pid)


def test_nothing_outlives_a_call_that_is_ended(child: Child) -> None:
    started: list[int] = []
    with pytest.raises(ChildLost, match="longer"):
        child.call("calls:start_a_daemon_and_hold_the_lock", report=started.append, timeout=2)
    for pid in started:
        wait_for_the_end_of(pid)


def test_the_current_folder_hides_no_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "calls.py").write_text(CALLS)
    here = tmp_path / "here"
    (here / "memgen_bench").mkdir(parents=True)
    for name in ("memgen_bench/__init__.py", "random.py", "neighbour.py"):
        (here / name).touch()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", ["", *sys.path, str(tmp_path)])
    child = Child()
    assert child.call("calls:find", "random", report=nobody) == random.__file__
    assert child.call("calls:find", "neighbour", report=nobody) == str(here / "neighbour.py")
    child.kill()


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
