"""How far a background task is, as a widget and a notification that change in place and end in done or failed: docs/jobs.md.

@app.task
@progress_to(widget="ops/import", audience="group:ops", title="Import")
def import_rows(path):
    for number, row in enumerate(rows, 1):
        ...
        progress(number, len(rows), row.name)

The core knows no app: what is to be shown is told to `reports`, and the apps that show it have connected there (core.sinks).
A thread of its own writes, so that the task never waits and its transactions do not matter (on SQLite, which has one writer, a report waits
for their end). It also keeps the run's lease: a worker that
was killed keeps it no more, and the job `progress_due` then says that the run has failed.
"""

import contextvars
import functools
import inspect
import logging
import math
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from celery import current_task
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models.functions import Now

from core.models import Run
from core.sinks import Sink

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

EVERY = 0.25  # seconds between two reports of one run: at most four a second
LEASE = timedelta(seconds=15)
RENEW = 4.0  # seconds
KEPT = timedelta(days=7)
PATIENCE = 10.0  # seconds that the end of a task waits until it is reported
LABEL, TITLE, WIDGET = 120, 200, 140
LOST = "Its worker was killed, or is not heard of any more."


@dataclass(frozen=True, slots=True)
class Report:
    """How a run stands. `key` names it as long as it lives; `state` is running, done or failed; `total` 0: nobody knows how much it is."""

    key: str
    title: str
    state: str
    done: float = 0
    total: float = 0
    label: str = ""
    widget: str = ""  # "dashboard/widget"; empty: none
    audience: tuple[str, ...] = ()
    url: str = ""
    news: bool = False  # it begins or ends with this one

    @property
    def part(self) -> float:
        """From 0 to 1; what is done is all of it."""
        if self.state == "done":
            return 1.0
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else 0.0


reports: Sink[Report] = Sink()


def progress_to(*, widget: str = "", audience: str | tuple[str, ...] = (), title: str = "", url: str = "") -> Callable[..., Any]:
    """Show how far the decorated function is, each time it runs: on a widget of kind progress, and in these people's inboxes.

    `title`, `audience`, `widget` and `url` may hold names of its arguments, as in `audience="user:{user}"`. A Celery task that is run
    again after its worker was killed goes on in the same place. What it raises is raised, and shown as failed.
    """
    people = (audience,) if isinstance(audience, str) else tuple(audience)

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        parameters = inspect.signature(function)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            named = function.__name__.replace("_", " ").capitalize()

            given = parameters.bind_partial(*args, **kwargs).arguments

            def filled(text: str) -> str:
                return _clean(text.format_map(given) if "{" in text else text)

            shown = {"widget": filled(widget)[:WIDGET], "audience": tuple(map(filled, people)), "url": filled(url)}
            about = Report(_key(function), _cut(filled(title), TITLE) or named, "running", **shown)  # type: ignore[arg-type]
            with _Running(about):
                return function(*args, **kwargs)

        return run

    return decorate


def progress(done: float, total: float = 0, label: str = "") -> None:
    """Say how far the task that runs here is. Costs nothing; outside of such a task it does nothing.

    Less than 0 counts as 0. NaN and infinity are logged and leave the number as it was: no task fails for that.
    """
    running = _running.get()
    if running is not None:
        running.say(done, total, label)


def _amount(number: float) -> float | None:
    """A number that can be stored and shown; None where it is none."""
    try:
        made = float(number)
    except OverflowError:
        return None
    return max(made, 0.0) if math.isfinite(made) else None


def _clean(text: str) -> str:
    """Text that every database takes: without NUL, and a question mark for each lone surrogate."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _cut(text: str, limit: int) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _words(error: BaseException) -> str:
    """What went wrong, on one line."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - another one's exception, whose name is left to tell
        said = ""
    return _cut(_clean(f"{type(error).__name__}: {said}"), LABEL)


_running: contextvars.ContextVar["_Running | None"] = contextvars.ContextVar("running", default=None)


def _key(function: Callable[..., Any]) -> str:
    """What names this run: the Celery task's id, which stays when it is delivered again, else a new one."""
    task = current_task.request.id if current_task else None
    return f"{function.__module__}.{function.__qualname__}"[-80:] + f":{task or uuid.uuid4().hex}"


@dataclass(slots=True)
class _Running:
    """One run while it lasts: what its task says, and the thread that reports it."""

    about: Report
    said: tuple[float, float, str] = (0.0, 0.0, "")
    _refused: bool = False
    _state: str = "running"
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _token: Any = None

    def __enter__(self) -> "_Running":
        self._token = _running.set(self)
        self._thread = threading.Thread(target=self._report, name="signalbox-progress", daemon=True)
        self._thread.start()
        return self

    def say(self, done: float, total: float, label: object) -> None:
        numbers = _amount(done), _amount(total)
        if None in numbers and not self._refused:
            self._refused = True  # said once: a loop may report it a million times
            logger.warning("The progress of %s is no number (NaN, infinity or beyond any float), and stays as it was.", self.about.key)
        self.said = (self.said[0] if numbers[0] is None else numbers[0], numbers[1] or self.said[1], _clean(str(label)[:LABEL]))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        _running.reset(self._token)
        self._state = "done" if kind is None else "failed"
        if error is not None:
            self.said = (*self.said[:2], _words(error))
        self._ended.set()
        assert self._thread is not None
        self._thread.join(PATIENCE)

    def _report(self) -> None:
        """Runs in the thread: the beginning, whatever is new, the end. A database that is away is tried again while the task runs."""
        told: tuple[Any, ...] | None = None
        renew_at = 0.0
        try:
            while True:
                ending = self._ended.is_set()
                now = (*self.said, self._state)
                is_due = now != told or time.monotonic() >= renew_at
                if is_due and self._tell(now, news=told is None or ending):
                    told, renew_at = now, time.monotonic() + RENEW
                if ending:
                    return
                self._ended.wait(EVERY)
        finally:
            connection.close()

    def _tell(self, now: tuple[Any, ...], *, news: bool) -> bool:
        done, total, label, state = now
        try:
            _stand(self.about, done=done, total=total, label=label, state=state, news=news)
        except DatabaseError as error:
            logger.warning("The progress of %s waits for the database: %s", self.about.key, type(error).__name__)
            return False
        return True


def _stand(about: Report, *, done: float, total: float, label: str, state: str, news: bool) -> None:
    """Write how a run stands, and tell those who show it, in one transaction."""
    values: dict[str, Any] = {"title": about.title, "widget": about.widget, "audience": list(about.audience), "url": about.url}
    values |= {"done": done, "total": total, "label": label, "state": state}
    with transaction.atomic():
        Run.objects.update_or_create(key=about.key, defaults=values | {"lease_until": Now() + LEASE})
        _tell(Report(about.key, about.title, state, done, total, label, about.widget, about.audience, about.url, news))


def _tell(report: Report) -> None:
    """Tell those who show it. One that breaks is logged and shows nothing: how the run stands is kept all the same."""
    try:
        with transaction.atomic():
            reports.tell(report)
    except (OperationalError, InterfaceError):  # the database is away or busy: all of it is tried again
        raise
    except Exception:
        logger.exception("The progress of %s cannot be shown.", report.key)


def sweep() -> None:
    """The job `progress_due`: fail the runs whose worker is not heard of any more; forget those that ended a week ago."""
    for run in Run.objects.filter(state="running", lease_until__lt=Now()).order_by("pk")[:100]:
        with transaction.atomic():
            # Claimed by counting: of two sweeps one tells it, and a worker that was only slow is alive again.
            if Run.objects.filter(pk=run.pk, state="running", lease_until__lt=Now()).update(state="failed", label=LOST):
                _tell(Report(run.key, run.title, "failed", run.done, run.total, LOST, run.widget, tuple(run.audience), run.url, news=True))
    Run.objects.exclude(state="running").filter(lease_until__lt=Now() - KEPT).delete()
