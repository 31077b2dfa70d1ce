"""Presence: who is on a channel, as leases of the processes that serve them. A guess, never older than a dead process's 15 s.

A hub writes its own people's rows once a second, changes only; joins and leaves are state events on `presence:<kind>.<key>`.
Who has no name (a guest on a public board, a share link) counts as somebody who watches (`watched`) and is not shown.
"""

import html
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.db import transaction
from django.db.models.functions import Now

from core.delivery.channel import ChannelName, Event, EventType, Keeps, Kind, Reader, registry
from core.delivery.publishing import NewEvent, publish_many
from core.models import Channel, Presence, Process

LEASE = timedelta(seconds=15)
Place = tuple[str, str]  # channel, who


class PresenceKind(Kind):
    """Who is on another channel; may be read by whoever reads that one."""

    name = "presence"
    keeps = Keeps.STATE
    pace = 1.0
    types = (EventType("presence", slot="presence", revives=True), EventType("presence.gone", slot="presence", removes=True))

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        of_kind: dict[str, set[str]] = defaultdict(set)
        for key in keys:
            kind, _, about = key.partition(".")
            of_kind[kind].add(about)
        found = set()
        for kind, about_keys in of_kind.items():
            if kind in registry.kinds and registry.kinds[kind].has_presence:
                found |= {(reader, f"{kind}.{key}") for reader, key in registry.kinds[kind].readable(readers, about_keys)}
        return found

    def render(self, event: Event, key: str) -> str:
        kind, _, about = key.partition(".")
        shown = registry.kinds.get(kind)
        who = str(event.data.get("who", ""))
        return shown.render_presence(who, about, here=event.type == "presence") if shown is not None else ""

    def snapshot(self, key: str) -> list[dict[str, Any]]:
        kind, _, about = key.partition(".")
        return [{"type": "presence", "key": _key(who), "data": {"who": who}} for who in people(f"{kind}:{about}")]


def face(who: str, *, here: bool) -> str:
    """The fragment that puts a person into the page's `#presence` list, or takes her out."""
    id = face_id(who)
    if not here:
        return f'<hx-partial hx-target="[id=\'{id}\']" hx-swap="delete"></hx-partial>'
    name = html.escape(who)
    return f'<hx-upsert hx-target="#presence"><i id="{id}" title="{name}">{html.escape(who[:1].upper())}</i></hx-upsert>'


def face_id(who: str) -> str:
    """The id of a person's face on a page."""
    return f"p-{_key(who).replace('%', '_')}"


def people(channel: str) -> list[str]:
    """Who is on a channel now, by name. Blocking."""
    rows = Presence.objects.filter(channel=channel, process__expires_at__gt=Now()).exclude(who="")
    return sorted(set(rows.values_list("who", flat=True)))


def crowds(channels: Iterable[str]) -> dict[str, list[str]]:
    """Who is on each of these channels now, by name; one query. Blocking."""
    rows = Presence.objects.filter(channel__in=set(channels), process__expires_at__gt=Now()).exclude(who="")
    found: dict[str, list[str]] = defaultdict(list)
    for channel, who in rows.order_by("channel", "who").values_list("channel", "who").distinct():
        found[channel].append(who)
    return dict(found)


def watchers(channels: Collection[str]) -> set[str]:
    """Who is on any of these channels now. Blocking."""
    rows = Presence.objects.filter(channel__in=channels, process__expires_at__gt=Now()).exclude(who="")
    return set(rows.values_list("who", flat=True))


def watched(channels: Iterable[str]) -> set[str]:
    """Which of these channels anybody is on now, also somebody without a name. Blocking."""
    return set(Presence.objects.filter(channel__in=set(channels), process__expires_at__gt=Now()).values_list("channel", flat=True))


def refresh(process: str) -> bool:
    """Keep a process's lease; False when it had lapsed and its rows are gone, so that all must be written again."""
    if Process.objects.filter(pk=process).update(expires_at=Now() + LEASE):
        return True
    Process.objects.create(pk=process, expires_at=Now() + LEASE)
    return False


def write(process: str, tabs: Mapping[Place, int]) -> None:
    """Note how many tabs of whom a process serves on which channel (0: none any more), and announce who came and who went."""
    with transaction.atomic():
        _lock(place[0] for place in tabs)
        before = _here(tabs)
        gone: dict[str, list[str]] = defaultdict(list)
        for (channel, who), count in tabs.items():
            if not count:
                gone[channel].append(who)
        for channel, names in gone.items():
            Presence.objects.filter(process_id=process, channel=channel, who__in=names).delete()
        Presence.objects.bulk_create(
            [Presence(process_id=process, channel=channel, who=who, tabs=count) for (channel, who), count in tabs.items() if count],
            update_conflicts=True,
            unique_fields=["process", "channel", "who"],
            update_fields=["tabs"],
        )
        _announce(before, _here(tabs))


def sweep() -> None:
    """Announce the people of processes whose lease ran out: one sweeper takes them all, in one batch."""
    with transaction.atomic():
        dead = list(Process.objects.select_for_update(skip_locked=True).filter(expires_at__lt=Now()).values_list("pk", flat=True))
        if not dead:
            return
        places = dict.fromkeys(Presence.objects.filter(process__in=dead).values_list("channel", "who"), 0)
        _lock(channel for channel, _ in places)
        Process.objects.filter(pk__in=dead).delete()
        _announce(set(places), _here(places))


def leave(process: str) -> None:
    """Take a process's people out as it ends."""
    Process.objects.filter(pk=process).update(expires_at=Now() - LEASE)
    sweep()


def _lock(channels: Iterable[str]) -> None:
    """Serialise who says what of a channel: two processes between which a person moves must see each other."""
    names = sorted({_presence_channel(channel) for channel in channels})
    Channel.objects.bulk_create([Channel(name=name) for name in names], ignore_conflicts=True)
    list(Channel.objects.select_for_update(no_key=True).filter(name__in=names).order_by("name"))


def _here(places: Iterable[Place]) -> set[Place]:
    places = set(places)
    rows = Presence.objects.filter(channel__in={place[0] for place in places}, process__expires_at__gt=Now())
    return places & set(rows.values_list("channel", "who"))


def _announce(before: set[Place], after: set[Place]) -> None:
    came, left = ([place for place in sorted(places) if place[1]] for places in (after - before, before - after))
    announced = [NewEvent(_presence_channel(channel), "presence", {"who": who}, _key(who)) for channel, who in came]
    went = [NewEvent(_presence_channel(channel), "presence.gone", {"who": who}, _key(who)) for channel, who in left]
    publish_many(announced + went)


def _presence_channel(channel: str) -> str:
    return f"presence:{ChannelName.parse(channel).group}"


def _key(who: str) -> str:
    # A slash would make it a part of another subject.
    return quote(who, safe="")[:128]
