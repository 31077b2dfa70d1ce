"""Taking what is not to be known any more out of the table of events. Who stands before it resyncs, and then equals the database."""

from typing import Any
from urllib.parse import quote

from django.db import transaction
from django.db.models import F, Max, QuerySet

from core.models import Channel, Event, Presence


def forget_channel(name: str) -> None:
    """Everything that a channel carried."""
    with transaction.atomic():
        # The tail first, as trimming does: no reader takes the hole for silence.
        Channel.objects.filter(name=name).update(tail=F("head") + 1)
        Event.objects.filter(channel=name).delete()


def forget_presence(who: str) -> None:
    """That somebody of this name was on any channel."""
    Presence.objects.filter(who=who).delete()
    told = Event.objects.filter(channel__startswith="presence:", key=quote(who, safe="")[:128])
    for channel, last in list(told.values_list("channel").annotate(last=Max("offset"))):
        if last is not None:
            Channel.objects.filter(name=channel, tail__lte=last).update(tail=last + 1)
    told.delete()


def blank(events: QuerySet[Event]) -> None:
    """What these events said; they keep their places, and are drawn as nothing."""
    events.update(data="{}")


def rewrite(events: QuerySet[Event], change: Any) -> None:
    """Say them differently in the table: `change` is given what an event said, and returns what it is to say."""
    from core.delivery import wire

    for event in events.order_by("pk"):
        Event.objects.filter(pk=event.pk).update(data=wire.dump(change(wire.load(event.data))))
