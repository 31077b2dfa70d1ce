"""What a person has said about how she wants to be told: categories by ways, quiet hours, muted channels, her webhook."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction

from core.delivery.channel import BadChannel, ChannelName, Reader, registry
from core.outbound import OutboundRefused, check_url
from notifications import categories, transports
from notifications.categories import Category
from notifications.errors import BadNotification
from notifications.models import Preference, QuietHours, Webhook
from notifications.transports.webhook import new_secret


@dataclass(frozen=True, slots=True)
class Cell:
    """One category, one way."""

    transport: str
    label: str
    on: bool
    fixed: bool


@dataclass(frozen=True, slots=True)
class Line:
    category: Category
    cells: tuple[Cell, ...]


def ways() -> list[transports.Transport[Any]]:
    """The ways that this installation has set up."""
    return [transport for transport in transports.all_known() if transport.is_set_up()]


def matrix(user: Any) -> list[Line]:
    """Categories by ways, as they stand for her. One query."""
    rows = Preference.objects.filter(user=user).values_list("category", "transport", "enabled")
    said = {(category, transport): enabled for category, transport, enabled in rows}
    return [Line(one, tuple(_cell(one, way, said.get((one.name, way.name))) for way in ways())) for one in categories.shown()]


def _cell(category: Category, way: transports.Transport[Any], said: bool | None) -> Cell:
    return Cell(way.name, way.label, category.wanted(way.name, said), way.name in category.mandatory)


def choose(user: Any, category: str, transport: str, *, enabled: bool) -> None:
    """Say whether a category goes a way. Raises BadNotification: there is no such cell, or it is not hers to change."""
    known = next((one for one in categories.shown() if one.name == category), None)
    if known is None or transports.of(transport) is None:
        raise BadNotification("There is no such category or way.", field="category")
    if transport in known.mandatory:
        raise BadNotification(known.why or "This cannot be switched off.", field="category")
    Preference.objects.update_or_create(user=user, category=category, transport=transport, defaults={"enabled": enabled})


def choose_all(user: Any, on: Iterable[str]) -> None:
    """Take a whole table as a page without JavaScript posts it: the cells that are on, as "category/way"."""
    wanted = set(on)
    with transaction.atomic():
        for line in matrix(user):
            for cell in line.cells:
                enabled = f"{line.category.name}/{cell.transport}" in wanted
                if not cell.fixed and enabled != cell.on:
                    choose(user, line.category.name, cell.transport, enabled=enabled)


# --- quiet hours ---


def quiet_hours(user: Any) -> str:
    """Her quiet hours as her pages carry them, "22:00 07:00 Europe/Berlin": times on a wall there, so that it stays true for days.

    Empty where she has none. One query.
    """
    hours = QuietHours.objects.filter(user=user).values_list("start", "end", "user__profile__time_zone").first()
    return f"{hours[0]:%H:%M} {hours[1]:%H:%M} {hours[2] or 'UTC'}" if hours else ""


@cache
def time_zones() -> tuple[str, ...]:
    """The zones that a person may choose, with UTC first."""
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/", "posix/", "right/")))
    return ("UTC", *places)


# --- muted channels ---


def mutable(user: Any) -> list[tuple[str, str]]:
    """Channels that she may mute, as (address, as people write it): the rooms and boards that she may read."""
    reader = Reader(user=str(user.pk), name=user.get_username())
    return [
        (f"{kind.name}:{key}", f"{kind.name}:{name}")
        for kind in registry.kinds.values()
        if kind.has_presence
        for name in kind.names(reader)
        if (key := kind.resolve(name)) is not None
    ]


def readable(user: Any, name: str) -> str:
    """The address of a channel that she may read. What she may not read is not there. Raises BadNotification."""
    absent = BadNotification("There is no such room or dashboard.", field="channel")
    try:
        parsed = ChannelName.parse(name)
        kind = registry.of(parsed)
    except BadChannel:
        raise absent from None
    key = kind.resolve(parsed.key) if kind.has_presence and not parsed.internal else None
    reader = Reader(user=str(user.pk), name=user.get_username())
    if key is None or (reader, key) not in kind.readable([reader], [key]):
        raise absent
    return f"{parsed.kind}:{key}"


# --- her webhook ---


def set_webhook(user: Any, url: str, shape: str) -> Webhook:
    """Where to post her notifications. A new address gets a new secret. Raises BadNotification."""
    try:
        check_url(url)
    except OutboundRefused as error:
        raise BadNotification(str(error), field="url") from None
    if shape not in dict(Webhook.SHAPES):
        raise BadNotification("A shape is plain or slack.", field="shape", allowed=dict(Webhook.SHAPES))
    with transaction.atomic():
        row, new = Webhook.objects.select_for_update().get_or_create(
            user=user, defaults={"url": url, "shape": shape, "secret": new_secret()}
        )
        if not new:
            row.secret = row.secret if row.url == url else new_secret()
            row.url, row.shape = url, shape
            row.save(update_fields=["url", "shape", "secret"])
        return row


def remove_webhook(user: Any) -> None:
    Webhook.objects.filter(user=user).delete()
