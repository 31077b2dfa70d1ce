"""Background jobs: an app leaves a due row and calls `wake("name")`; whoever runs jobs here comes and looks: docs/jobs.md.

A job is a function without arguments that works off what is due, claims what it takes and may run twice at once.
With a broker it runs in a Celery worker (task `workers.tasks.<name>`), and beat runs it every so often whether it was woken or not: so a
dead broker delays and never loses. Without a broker it runs in this process, in a thread of its queue.
"""

import atexit
import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from celery import Celery
from django.conf import settings
from django.db import close_old_connections, transaction

from core import tallies
from core.metrics import Counter
from core.tallies import SharedCounter
from core.tracing import ids, tracing
from core.unavailable import is_away

logger = logging.getLogger(__name__)

QUEUES = ("live", "delivery", "bulk")
PAUSE = 0.05  # seconds between two rounds of one thread: a burst of a thousand wakes makes twenty messages a second
WAKERS = 8  # requests that a job knows it was woken by, of those that a burst held
FLUSH = 0.1  # seconds that a process which ends waits for what it woke

WOKEN_BY = "woken_by"  # the header of a task's message that names the requests
WOKEN = Counter("signalbox_jobs_woken_total", "Jobs handed on, by what came of it.", labels=("outcome",))
RUNS = SharedCounter("signalbox_jobs_total", "Runs of jobs in all workers, by how they ended.", labels=("job", "outcome"))
SECONDS = SharedCounter("signalbox_job_seconds_total", "How long jobs ran in all workers.", labels=("job",))


class UnknownJob(LookupError):
    """Nobody registered a job of that name."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `every`: seconds between two sweeps, or `cron` (five fields, UTC); `enabled` is what its beat row starts with."""

    name: str
    function: Callable[[], object]
    queue: str = "delivery"
    every: int = 0
    cron: str = ""
    enabled: bool = True

    @property
    def task(self) -> str:
        """The name of its Celery task."""
        return f"workers.tasks.{self.name}"

    @property
    def expires(self) -> float | None:
        """After how many seconds a message for it is stale: the next sweep is due then."""
        return max(2.0, self.every) if self.every else None

    def run(self) -> None:
        """Run it here and now, timed."""
        with tracing(job=self.name), _measured(self.name):
            dealt = self.function()
            logger.debug("ran", extra={"dealt": dealt})


@contextmanager
def _measured(name: str) -> Iterator[None]:
    start, outcome = time.perf_counter(), "broke"
    try:
        yield
        outcome = "done"
    finally:
        RUNS.inc(job=name, outcome=outcome)
        SECONDS.inc(time.perf_counter() - start, job=name)
        tallies.write_soon()


_jobs: dict[str, Job] = {}


def register(
    name: str, function: Callable[[], object], *, queue: str = "delivery", every: int = 0, cron: str = "", enabled: bool = True
) -> None:
    """Make a job known; apps call it in `AppConfig.ready`. Raises ValueError: the name has another function, or there is no such queue."""
    job = Job(name, function, queue, every, cron, enabled)
    if queue not in QUEUES or not name.isidentifier() or _jobs.get(name, job).function is not function:
        raise ValueError(f"Job {name!r}: taken, not an identifier, or {queue!r} is none of {', '.join(QUEUES)}.")
    _jobs[name] = job


def registered() -> list[Job]:
    return list(_jobs.values())


def job(name: str) -> Job:
    """The job of that name. Raises UnknownJob."""
    try:
        return _jobs[name]
    except KeyError:
        raise UnknownJob(f"There is no job {name!r}; there is {', '.join(sorted(_jobs))}.") from None


def wake(name: str) -> None:
    """Have a job run soon after the caller's transaction commits; costs nothing and waits for nobody. Raises UnknownJob."""
    wanted = job(name)
    transaction.on_commit(functools.partial(_wake_now, wanted), robust=True)


def _wake_now(wanted: Job) -> None:
    if _collecting is not None:
        _collecting.append(wanted.name)
    else:
        _threads.of(wanted).add(wanted.name, request=ids().get("request", ""))


# --- handing on, in threads that no caller waits for ---


class Waker:
    """A daemon thread that hands on the names it was given. Names wait in a set: it is bounded by how many jobs there are."""

    def __init__(self, hand_on: Callable[[Job], None]) -> None:
        self._hand_on = hand_on
        self._changed = threading.Condition()
        self._waiting: dict[str, list[str]] = {}  # with the requests that woke it
        self._busy = False
        self._thread: threading.Thread | None = None

    def add(self, name: str, *, request: str = "") -> None:
        with self._changed:
            requests = self._waiting.setdefault(name, [])
            if request and request not in requests and len(requests) < WAKERS:
                requests.append(request)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="signalbox-jobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until everything given so far was handed on; False when that took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, seconds)

    def _loop(self) -> None:
        while True:
            for name, requests in self._take():
                with tracing(request=",".join(requests)):
                    self._hand_on(job(name))
            with self._changed:
                self._busy = False
                self._changed.notify_all()
            time.sleep(PAUSE)

    def _take(self) -> list[tuple[str, list[str]]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            taken, self._waiting, self._busy = sorted(self._waiting.items()), {}, True
            return taken


class _Threads:
    """This process's wakers: one that sends to the broker, or one for each queue where there is none."""

    def __init__(self) -> None:
        self._wakers: dict[str, Waker] = {}
        self._asked = 0
        self._lock = threading.Lock()

    def of(self, wanted: Job) -> Waker:
        by_broker = has_broker()
        with self._lock:
            self._asked += 1
            key = "broker" if by_broker else wanted.queue
            if key not in self._wakers:
                self._wakers[key] = Waker(_send if by_broker else _run_here)
            return self._wakers[key]

    def wait_until_idle(self, seconds: float) -> bool:
        end, asked = time.monotonic() + seconds, -1
        while asked != self._asked:  # a job may wake one of a thread that was idle
            asked = self._asked
            if not all(waker.wait_until_idle(max(0.0, end - time.monotonic())) for waker in list(self._wakers.values())):
                return False
        return True


_threads = _Threads()
_collecting: list[str] | None = None


def wait_until_idle(seconds: float = 5) -> bool:
    """Wait until whatever was woken in this process has been handed on (with a broker) or has run (without one)."""
    return _threads.wait_until_idle(seconds)


@contextmanager
def collected() -> Iterator[list[str]]:
    """For tests: inside the block woken jobs are noted in the list and not run."""
    global _collecting
    before, _collecting = _collecting, []
    try:
        yield _collecting
    finally:
        _collecting = before


def _forget_threads() -> None:
    # Threads do not survive a fork, locks may be held by one of them, and a broker's socket must not be shared.
    global _threads
    _threads = _Threads()
    _producer.cache_clear()


os.register_at_fork(after_in_child=_forget_threads)
atexit.register(lambda: _threads.wait_until_idle(FLUSH))


# --- with a broker ---


def has_broker() -> bool:
    return bool(settings.CELERY_BROKER_URL)


@functools.cache
def _producer() -> Celery:
    """A Celery app that only sends, and gives up at once: `retry=False` alone waits for six seconds on a dead broker (measured)."""
    app = Celery("signalbox-producer", broker=settings.CELERY_BROKER_URL, set_as_current=False)
    app.conf.update(
        broker_connection_retry=False,
        broker_connection_max_retries=0,
        broker_connection_timeout=0.1,
        broker_pool_limit=1,
        broker_transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS
        | {"max_retries": 0, "socket_timeout": 0.1, "socket_connect_timeout": 0.1, "retry_on_timeout": False},
        task_publish_retry=False,
        task_ignore_result=True,
        task_serializer="json",
    )
    return app


def _send(wanted: Job) -> None:
    try:
        _producer().send_task(
            wanted.task,
            queue=wanted.queue,
            expires=wanted.expires,
            retry=False,
            ignore_result=True,
            headers={WOKEN_BY: ids().get("request")},
        )
    except Exception as error:  # noqa: BLE001 - a broker fails in the words of its own library; beat sweeps what was not woken
        WOKEN.inc(outcome="unsent")
        _broker.note(reached=False, why=type(error).__name__)
    else:
        WOKEN.inc(outcome="sent")
        _broker.note(reached=True)


class _Outages:
    """Says in the log that something is away, and that it is back: once each."""

    def __init__(self, *, away: str, back: str) -> None:
        self._away, self._back, self._reached = away, back, True

    def note(self, *, reached: bool, why: str = "") -> None:
        if reached != self._reached:
            self._reached = reached
            logger.warning("%s", self._back if reached else self._away.format(why))


_broker = _Outages(away="The broker takes no messages ({}); beat will find what is due.", back="The broker takes messages again.")
_database = _Outages(away="Jobs wait, the database is busy or away: {}", back="Jobs find the database again.")


# --- without one ---


def _run_here(wanted: Job) -> None:
    close_old_connections()
    try:
        ran = run_or_wait(wanted)
    except Exception:
        WOKEN.inc(outcome="broke")
        logger.exception("Job %s broke.", wanted.name)
    else:
        WOKEN.inc(outcome="ran" if ran else "broke")
    finally:
        close_old_connections()


def run_or_wait(wanted: Job) -> bool:
    """Run it. Where the database is away it is left to the next sweep, which the log says once an outage: False."""
    try:
        wanted.run()
    except Exception as error:
        if not is_away(error):
            raise
        _database.note(reached=False, why=" ".join(str(error).split())[:300])
        return False
    _database.note(reached=True)
    return True


class _Sweeper(threading.Thread):
    """In a web process without a broker: wakes each job with an `every` when its time has come."""

    def __init__(self) -> None:
        super().__init__(name="signalbox-sweeper", daemon=True)
        self._next: dict[str, float] = {}

    def run(self) -> None:
        while True:
            for due in self.due(time.monotonic()):
                _wake_now(due)
            time.sleep(1)

    def due(self, now: float) -> list[Job]:
        """The jobs whose time has come, which are then due again `every` seconds later."""
        found = [job for job in registered() if job.every and job.enabled and self._next.get(job.name, 0.0) <= now]
        self._next |= {job.name: now + job.every for job in found}
        return found


@functools.cache
def sweep_here() -> None:
    """Sweep in this process where no broker is configured. Web processes call it once, as they start."""
    if not has_broker():
        _Sweeper().start()
