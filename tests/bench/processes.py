"""What a process costs and where it runs: CPU time and memory of a process with its children, and which core it is kept on."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = CORES[-1], CORES[0]  # the measured server has one for itself; everything else shares the other


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes that are started here stay on that core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def on_any_core(pid: int) -> Iterator[None]:
    """What this process starts meanwhile (a connection of Postgres is a process) runs where there is room."""
    before = os.sched_getaffinity(pid)
    os.sched_setaffinity(pid, CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(pid, before)


def as_urgent_as_we_are(pid: int) -> None:
    """Pass our niceness on to a session of its own: Linux weighs sessions against each other by a value that is not inherited."""
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(os.getpriority(os.PRIO_PROCESS, 0)))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its children included."""
    return sum(_own_cpu_seconds(one) for one in family(pid))


def _own_cpu_seconds(pid: int) -> float:
    # The name may hold spaces; what follows it does not.
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICK


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def resident_bytes(pid: int) -> int:
    """Memory that a process and its children hold."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) * page for one in family(pid))


def this_machine() -> str:
    """What this was measured on, in a sentence."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    busy = os.getloadavg()[0]
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{len(CORES)} cores, {memory:.0f} GiB, {system}; load {busy:.1f}"
