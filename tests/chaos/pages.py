"""What clients of the checker fetch over HTTP beside the product's own addresses: a page's regions, and figures about the process."""

import asyncio
import os
from typing import Any

import psutil
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import path

from core.delivery import figures, history
from core.delivery.channel import ChannelName, Keeps, Reader, registry
from core.delivery.hub import hub
from core.delivery.outlet import bytes_held
from core.tokens import caller_of
from core.urls import urlpatterns as core_urls
from tests.chaos.app import Queries
from tests.chaos.clients import TITLE
from tests.chaos.kinds import numbered


def region(request: HttpRequest, channel: str) -> JsonResponse:
    """A region as a page shows it: its position, read before its data, and what its channel holds. A stranger's is not there."""
    name = ChannelName.parse(channel)
    kind = registry.of(name)
    caller = caller_of(request)
    reader = caller.reader if caller is not None else Reader()
    if (reader, name.key) not in kind.readable([reader], [name.key]):
        raise Http404
    position = history.positions([channel])[channel]
    rows = [history.as_event(row) for row in numbered(channel)]
    if kind.name == "user":
        shown: list[Any] = [
            {"o": event.offset, "p": name, "n": int(number)} for event in rows for name, number in TITLE.findall(titles(event.data))
        ]
    elif kind.keeps is Keeps.LOG:
        shown = [{"o": event.offset, **event.data} for event in rows]
    else:
        shown = [{"y": event.type, "k": event.key, "v": event.data.get("v")} for event in rows]
    return JsonResponse({"position": str(position), "shown": shown})


def titles(data: Any) -> str:
    """The title in a notification's event, where an event of the checker has its name."""
    return str(data.get("row", {}).get("title", ""))


def counts(request: HttpRequest, user: str) -> JsonResponse:
    """A person's badge as the database has it now."""
    return JsonResponse({"html": registry.of(f"user:{user}").counts([user]).get(user, "")})


def process(request: HttpRequest) -> JsonResponse:
    """What this web process uses, holds and has repaired."""
    me = psutil.Process()
    return JsonResponse(
        {
            "pid": os.getpid(),
            "memory": me.memory_info().rss,
            "files": me.num_fds(),
            "tasks": _tasks(),
            "connections": len(hub.connections),
            "most_held": max((bytes_held(one.outlet._transport) for one in list(hub.connections)), default=0),
            "queries": Queries.count,
            "gaps": figures.gaps.value(),
            "rescues": figures.relay_rescues.value(),
            "resyncs": figures.resyncs.value(),
            "slow": figures.slow_closes.value(),
        }
    )


def _tasks() -> int:
    while True:
        try:
            return len(asyncio.all_tasks(hub.loop)) if hub.loop else 0
        except RuntimeError:  # the set changed while it was copied, in the loop's own thread
            continue


urlpatterns = [
    path("chaos/region/<str:channel>", region),
    path("chaos/counts/<str:user>", counts),
    path("chaos/process", process),
    *core_urls,
]
