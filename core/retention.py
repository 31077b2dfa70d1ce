"""Every table, and what keeps it from growing without end: docs/care.md. A test fails for a table that nobody registered."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from core.models import SignIn

PORTION = 1000
LATE = timedelta(hours=1)  # after which an ended session's row goes: what ran on it was closed long before


@dataclass(frozen=True, slots=True)
class Rule:
    """Why one table stays small. `job` names the job that trims it; without one, `why` says what bounds it."""

    table: str
    why: str
    job: str = ""


_rules: dict[str, Rule] = {}


def trimmed(*tables: str, job: str, why: str) -> None:
    """These tables ("app_label.Model") grow with what happens, and this job takes away what is old. Apps call it in `AppConfig.ready`."""
    _rules.update({table: Rule(table, why, job) for table in tables})


def bounded(*tables: str, why: str) -> None:
    """These tables do not grow by themselves."""
    _rules.update({table: Rule(table, why) for table in tables})


def rules() -> list[Rule]:
    return [_rules[table] for table in sorted(_rules)]


def cutoff(now: datetime) -> datetime | None:
    """Before when what happened is forgotten (KEEP_DAYS); None: never."""
    return now - timedelta(days=settings.KEEP_DAYS) if settings.KEEP_DAYS else None


def register() -> None:
    """The core's own tables, and those of Django."""
    trimmed("signalbox.Event", job="trim_events", why="its kind's window: a day of logs, the newest of each key of states")
    trimmed("signalbox.Intent", job="forget_intents", why="24 hours")
    trimmed("signalbox.Run", job="progress_due", why="a week after it ended")
    trimmed("signalbox.SignIn", "sessions.Session", job="forget_ended", why="an hour after it ran out")
    trimmed("admin.LogEntry", job="forget_ended", why="KEEP_DAYS")
    bounded("signalbox.Process", "signalbox.Presence", why="web processes sweep those of dead processes")
    bounded("signalbox.Channel", why="one row for each thing that ever had a channel; positions need it")
    bounded("signalbox.Epoch", "signalbox.Lease", "signalbox.Tally", why="a fixed number of rows")
    bounded("signalbox.Profile", "signalbox.ApiToken", why="what people make, by hand")
    by_hand = ("auth.User", "auth.Group", "auth.User_groups", "auth.User_user_permissions", "auth.Group_permissions")
    bounded(*by_hand, why="what people make, by hand")
    bounded("auth.Permission", "contenttypes.ContentType", why="a few for each model")


def forget_ended(*, now: datetime | None = None) -> int:
    """The job: sessions that ran out, and what is older than KEEP_DAYS in the admin's log. Returns how many rows went."""
    now = now or timezone.now()
    gone = SignIn.objects.filter(expires_at__lt=now - LATE).delete()[0]
    ended = Session.objects.filter(expire_date__lt=now - LATE)
    while portion := list(ended.values_list("session_key", flat=True)[:PORTION]):
        gone += Session.objects.filter(session_key__in=portion).delete()[0]
    before = cutoff(now)
    if before is not None and apps.is_installed("django.contrib.admin"):
        gone += apps.get_model("admin", "LogEntry").objects.filter(action_time__lt=before).delete()[0]
    return gone
