"""The supervisor, on programs that are a line of shell."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core.supervisor import LONGEST_DELAY, delay
from tests.support.servers import Process, wait_until

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path):
    """Start a supervisor in a process of its own, of programs given as name="line of shell"."""
    started = []

    def start(**programs: str) -> Process:
        listed = ", ".join(f"Program({name!r}, ['bash', '-c', {line!r}], last={name == 'last'})" for name, line in programs.items())
        code = f"from core.supervisor import *; import sys; sys.exit(Supervisor([{listed}]).run())"
        process = Process([sys.executable, "-c", code], tmp_path / "log")
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop(patience=5)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def lines(process: Process, label: str) -> list[str]:
    return [line.split(" | ", 1)[1] for line in process.output().splitlines() if line.startswith(label)]


def says(process: Process, label: str, count: int = 1) -> list[str]:
    wait_until(lambda: len(lines(process, label)) >= count, described=f"{count} lines of {label}", patience=10, log=process.log)
    return lines(process, label)


def test_a_program_that_dies_is_started_again(start: Start):
    process = start(short="echo hello; exit 3", steady="echo up; exec sleep 60")
    assert says(process, "short", 3)[:3] == ["hello", "ended with 3; starting it again in 0.2 s", "hello"]
    assert lines(process, "steady") == ["up"]


def test_starting_again_takes_longer_after_each_death():
    waits = [delay(deaths) for deaths in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[0] <= 0.2
    assert waits[-1] == LONGEST_DELAY


def test_a_program_that_cannot_be_started_does_not_stop_the_others(tmp_path: Path):
    code = "from core.supervisor import *; Supervisor([Program('none', ['/no/such/program']), Program('other', ['echo', 'here'])]).run()"
    process = Process([sys.executable, "-c", code], tmp_path / "log")
    process.start()
    try:
        assert says(process, "other")[0] == "here"
        assert "cannot be started" in says(process, "none")[0]
    finally:
        process.stop(patience=5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_children_and_grandchildren(start: Start, number: int):
    process = start(parent="sleep 60 & echo $! $$; wait")
    grandchild, child = map(int, says(process, "parent")[0].split())
    assert process.stop(by=number, patience=10) == 0
    assert not alive(child)
    assert not alive(grandchild)


def test_what_a_killed_program_left_behind_is_killed_before_it_starts_again(start: Start):
    process = start(parent="sleep 60 & echo $! $$; wait")
    grandchild, child = map(int, says(process, "parent")[0].split())
    os.kill(child, signal.SIGKILL)
    says(process, "parent", 3)
    assert not alive(grandchild)


def test_the_last_program_ends_after_all_others(start: Start, tmp_path: Path):
    order = tmp_path / "order"
    trap = f"trap 'sleep 0.2; echo $0 >> {order}; exit' TERM; echo up; while :; do sleep 0.05; done"
    process = start(last=trap.replace("$0", "last"), first=trap.replace("$0", "first"))
    says(process, "last")
    says(process, "first")
    process.stop(patience=10)
    assert order.read_text().split() == ["first", "last"]


def test_a_second_signal_kills_what_does_not_want_to_end(start: Start):
    process = start(stubborn="trap '' TERM; echo up; while :; do sleep 0.05; done")
    says(process, "stubborn")
    process.send(signal.SIGTERM)
    says(process, "all")
    assert process.stop(patience=10) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_children_end_when_the_supervisor_itself_is_killed(start: Start):
    process = start(child="echo $$; exec sleep 60")
    child = int(says(process, "child")[0])
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not alive(child), described="the child to end", patience=10)


def test_nobody_reading_its_lines_is_no_reason_to_stop(tmp_path: Path):
    mark = tmp_path / "mark"
    line = f"for i in 1 2 3 4 5; do echo line $i; sleep 0.05; done; touch {mark}; exec sleep 60"
    code = f"from core.supervisor import *; Supervisor([Program('loud', ['bash', '-c', {line!r}])]).run()"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert child.stdout is not None
    child.stdout.close()
    try:
        wait_until(mark.exists, described="the program to get to its end", patience=10)
        assert child.poll() is None
    finally:
        child.terminate()
        child.wait(10)
