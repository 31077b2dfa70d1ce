"""The page of the living system in the admin, `/admin/live/`: processes, people, channels, a channel's newest events; a way to disconnect.

What it shows was told by each process in its row (core.delivery.report) within the last seconds; nothing is asked of a process for it.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Sum
from django.db.models.functions import Length, Now, Substr
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_POST, require_safe

from core import health, leases
from core.delivery import authority, history
from core.delivery.channel import BadChannel, ChannelName
from core.delivery.history import Standing
from core.delivery.service import Service, put_together
from core.models import Event, Presence, Process

LOOK, DISCONNECT = "signalbox.view_process", "signalbox.disconnect_people"
PEOPLE = 100  # who is shown as watching a channel
NEWEST = 50  # events of a channel's tail
SHOWN = 300  # characters of an event's data
RATES = ("rescued", "gaps", "resyncs", "slow")


@dataclass(frozen=True, slots=True)
class Worker:
    """A Celery worker, or the beat that works: Celery's name of it or whoever holds the lease, and what it did last."""

    name: str
    since: datetime
    job: str = ""


@dataclass(slots=True)
class Living:
    """What all processes told, put together."""

    processes: list[Process] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    beat: Worker | None = None
    service: Service = field(default_factory=lambda: put_together([]))
    guests: int = 0
    people: list[tuple[str, str, int]] = field(default_factory=list)  # primary key, name, connections
    channels: list[tuple[str, int]] = field(default_factory=list)  # name, subscribers
    rates: dict[str, float] = field(default_factory=dict)  # by the second


def living() -> Living:
    """What the processes told that live now, the busiest people and channels first. Two queries."""
    alive = list(Process.objects.filter(expires_at__gt=Now()).order_by("started_at"))
    found = Living(processes=[process for process in alive if not process.id.startswith(Process.CELERY)])
    found.workers = [_worker(process) for process in alive if process.id.startswith(health.WORKER_PREFIX)]
    holder = leases.holder_of("beat")
    found.beat = next((Worker(holder or "beat", process.started_at) for process in alive if process.id == health.BEAT), None)
    people: Counter[tuple[str, str]] = Counter()
    channels: Counter[str] = Counter()
    rates: Counter[str] = Counter()
    for process in found.processes:
        report = process.figures or {}
        found.guests += report.get("guests", 0)
        people.update({(user, name): tabs for user, name, tabs in report.get("people", [])})
        channels.update({name: subscribers for name, subscribers, _ in report.get("channels", [])})
        rates.update(report.get("rates", {}))
    found.service = put_together([process.figures or {} for process in found.processes])
    found.people = [(user, name, tabs) for (user, name), tabs in people.most_common()]
    found.channels = channels.most_common()
    found.rates = {name: round(rates[name], 1) for name in RATES}
    return found


def _worker(process: Process) -> Worker:
    told = process.figures or {}
    return Worker(told.get("worker", process.id), process.started_at, told.get("job", ""))


@dataclass(frozen=True, slots=True)
class Tail:
    """The newest events of one channel, and where it stands; `wrong` says why there is none."""

    name: str
    standing: Standing | None = None
    events: tuple[dict[str, Any], ...] = ()
    here: tuple[tuple[str, int], ...] = ()  # who watches it, and in how many tabs
    wrong: str = ""


def tail(written: str) -> Tail | None:
    """The newest events of the channel of that name; None where none was written."""
    if not written:
        return None
    try:
        name = str(ChannelName.parse(written))
    except BadChannel as error:
        return Tail(written, wrong=str(error))
    rows = Event.objects.filter(channel=name).order_by("-id").annotate(size=Length("data"), start=Substr("data", 1, SHOWN))
    events: Any = tuple(rows.values("id", "offset", "type", "key", "size", "start", "created_at")[:NEWEST])
    leased = Presence.objects.filter(channel=name, process__expires_at__gt=Now()).exclude(who="").order_by("who")
    here = tuple(leased.values_list("who").annotate(tabs=Sum("tabs"))[:PEOPLE])
    return Tail(name, history.standings([name])[name], events, here)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The whole page; with `?part=1` only what changes, which the page asks for every few seconds."""
    if not request.user.has_perm(LOOK):
        raise PermissionDenied
    now: dict[str, Any] = {"living": living(), "missing": health.missing(), "tail": tail(request.GET.get("channel", "").strip())}
    now["may_disconnect"] = request.user.has_perm(DISCONNECT)
    if request.GET.get("part"):
        return TemplateResponse(request, "admin/signalbox/_live.html", now)
    context = {**admin.site.each_context(request), "title": "Living system", **now}
    return TemplateResponse(request, "admin/signalbox/live.html", context)


@require_POST
def disconnect(request: HttpRequest) -> HttpResponse:
    """Close what one person has open, everywhere; her pages come back by themselves."""
    if not request.user.has_perm(DISCONNECT):
        raise PermissionDenied
    person = _person(request.POST.get("user", ""))
    if person is None:
        messages.error(request, "There is nobody of that number.")
    else:
        authority.disconnect(person.pk)
        messages.success(request, f"{person} is being disconnected; open pages come back by themselves within seconds.")
    return redirect("admin-live")


def _person(written: str) -> Any:
    """The person of that primary key, whatever kind of key it is; None where there is none."""
    model = get_user_model()
    try:
        key = model._meta.pk.to_python(written)
    except ValidationError:
        return None
    return model._default_manager.filter(pk=key).first()
