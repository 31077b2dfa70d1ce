"""The supervisor of `make run`: Valkey, web, worker and beat as children of one process that restarts whichever dies: docs/running.md.

A child has a process group of its own; when it ends, what is left of its group is killed. When the supervisor itself is killed, the kernel
sends its children SIGTERM (Linux), so that nothing is left behind either.
"""

import asyncio
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 20.0  # seconds that children get to end after SIGTERM: the web process drains for ten
LONGEST_DELAY = 10.0
UNTIL_READY = 10.0  # seconds that the next program waits for the one before it
STEADY = 10.0  # seconds of life after which a death counts as the first one again
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Program:
    """A child to keep running. The next one starts when `ready` says so; `last` ones are ended when all others have."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()
    ready: Callable[[], bool] | None = None
    last: bool = False


def delay(deaths: int) -> float:
    """Seconds to wait before the next start, after so many deaths in a row."""
    return min(LONGEST_DELAY, 0.1 * 2.0 ** min(deaths, 10))


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Runs in the child between fork and exec."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Keeper:
    """Keeps one program running, and its lines on our output."""

    def __init__(self, program: Program, *, width: int, threads: ThreadPoolExecutor) -> None:
        self.program = program
        self.label = program.name.ljust(width)
        self.child: subprocess.Popen[bytes] | None = None
        self._threads = threads
        self.stopping = asyncio.Event()

    async def keep(self) -> None:
        """Start it again whenever it ends, until told to stop."""
        deaths = 0
        while not self.stopping.is_set():
            started = time.monotonic()
            end = await self._live_once()
            if self.stopping.is_set():
                return
            deaths = 1 if time.monotonic() - started > STEADY else deaths + 1
            say(self.label, f"{end}; starting it again in {delay(deaths):.1f} s")
            await happens(self.stopping, within=delay(deaths))

    async def _live_once(self) -> str:
        """Start it, wait for its end, and say how it ended."""
        ours, its = os.pipe()
        try:
            self.child = self._start(its)
        except OSError as error:
            os.close(ours)
            return f"cannot be started: {error}"
        finally:
            os.close(its)
        if self.stopping.is_set():
            self.signal(signal.SIGTERM)
        pump = asyncio.ensure_future(self._pump(ours))
        code = await asyncio.get_running_loop().run_in_executor(self._threads, self.child.wait)
        # What it left behind (a worker's pool after a kill -9) holds its ports, its tasks and our pipe.
        self.signal(signal.SIGKILL)
        await asyncio.wait([pump], timeout=1)
        pump.cancel()
        return f"ended with {code}"

    def _start(self, output: int) -> "subprocess.Popen[bytes]":
        # Not asyncio's subprocesses: their wait() may also wait for the pipe, which a grandchild can hold open.
        return subprocess.Popen(
            self.program.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.program.environment},
            cwd=ROOT,
            pass_fds=self.program.descriptors,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )

    async def _pump(self, descriptor: int) -> None:
        reader, rest = asyncio.StreamReader(), b""
        with os.fdopen(descriptor, "rb", 0) as pipe:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
            try:
                while chunk := await reader.read(65536):
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        say(self.label, line.decode(errors="replace"))
            finally:
                transport.close()
        if rest:
            say(self.label, rest.decode(errors="replace"))

    def signal(self, number: int) -> None:
        """Send to the child: SIGKILL to its whole group, anything else to itself, which knows its own children."""
        if self.child is None:
            return
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.child.pid, number)
            else:
                os.kill(self.child.pid, number)


class Supervisor:
    """Runs programs until SIGTERM or SIGINT, then ends them all. A second signal kills them."""

    def __init__(self, programs: list[Program]) -> None:
        width = max(len(program.name) for program in programs)
        threads = ThreadPoolExecutor(len(programs), thread_name_prefix="wait")
        self.keepers = [Keeper(program, width=width, threads=threads) for program in programs]
        self._label = "all".ljust(width)
        self._stop = asyncio.Event()
        self._tasks: dict[Keeper, asyncio.Task[None]] = {}

    def run(self) -> int:
        """Block until everything has ended. Returns the exit code."""
        return asyncio.run(self._run())

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        try:
            await self._start_all()
            await self._stop.wait()
        finally:
            await self._end([keeper for keeper in self.keepers if not keeper.program.last])
            await self._end([keeper for keeper in self.keepers if keeper.program.last])
        return 0

    def _on_signal(self) -> None:
        if self._stop.is_set():
            for keeper in self.keepers:
                keeper.signal(signal.SIGKILL)
            return
        say(self._label, "stopping; once more to stop at once")
        self._stop.set()

    async def _start_all(self) -> None:
        for keeper in self.keepers:
            if self._stop.is_set():
                return
            self._tasks[keeper] = asyncio.ensure_future(keeper.keep())
            await self._ready(keeper.program)

    async def _ready(self, program: Program) -> None:
        deadline = time.monotonic() + UNTIL_READY
        while program.ready is not None and not program.ready() and time.monotonic() < deadline:
            if await happens(self._stop, within=0.02):
                return

    async def _end(self, keepers: list[Keeper]) -> None:
        tasks = [self._tasks[keeper] for keeper in keepers if keeper in self._tasks]
        for keeper in keepers:
            keeper.stopping.set()
            keeper.signal(signal.SIGTERM)
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=PATIENCE)
        for keeper in keepers:
            if self._tasks.get(keeper) in late:
                say(keeper.label, f"did not end in {PATIENCE:.0f} s; killed")
                keeper.signal(signal.SIGKILL)
        if late:
            await asyncio.wait(late)


async def happens(event: asyncio.Event, *, within: float) -> bool:
    """Wait for the event, at most so many seconds; say whether it came."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), within)
    return event.is_set()


def say(label: str, line: str) -> None:
    """One line on our output. Nobody reading it any more is no reason to stop."""
    with suppress(BrokenPipeError):
        print(f"{label} | {line}", flush=True)
