"""What is kept: logs by their kind's window, state channels without tombstones that everybody had time to see. Blocking; a job."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from core.delivery.channel import BadChannel, ChannelName, Keeps, Kind, registry
from core.models import Channel, Event

PORTION = 5000  # events deleted in one statement
LOOKED_AT = 1000  # channels read in one statement


def trim(*, now: datetime) -> int:
    """Delete what has left its window, and move the tails first, so that no reader takes the hole for silence. Returns how many went."""
    return sum(_trim_channel(channel, now) for channel in _channels())


def _channels() -> Iterator[Channel]:
    """All of them, a portion at a time."""
    # Never by iterator(): on SQLite a write beside an open cursor fails at once when somebody else has written since.
    last = ""
    while portion := list(Channel.objects.filter(name__gt=last).order_by("name")[:LOOKED_AT]):
        yield from portion
        last = portion[-1].name


def _trim_channel(channel: Channel, now: datetime) -> int:
    try:
        kind = registry.of(ChannelName.parse(channel.name))
    except BadChannel:  # its app is not installed any more
        return 0
    return _trim_log(channel, kind, now) if kind.keeps is Keeps.LOG else _trim_tombstones(channel, kind, now)


def _trim_log(channel: Channel, kind: Kind, now: datetime) -> int:
    window = kind.window
    numbered = Event.objects.filter(channel=channel.name, offset__isnull=False)
    oldest = numbered.filter(created_at__lt=now - timedelta(seconds=window.seconds)).aggregate(last=Max("offset"))["last"] or 0
    # Over the number: everything below the newest N goes, but nothing younger than the least time.
    young = (
        numbered.filter(created_at__gte=now - timedelta(seconds=window.least)).order_by("offset").values_list("offset", flat=True).first()
    )
    by_number = min(channel.head - window.newest, (young or channel.head + 1) - 1)
    upto = max(oldest, by_number)
    if upto < channel.tail:
        return 0
    Channel.objects.filter(pk=channel.pk, tail__lte=upto).update(tail=upto + 1)
    return _delete(numbered.filter(offset__lte=upto).order_by("offset").values_list("pk", flat=True))


def _trim_tombstones(channel: Channel, kind: Kind, now: datetime) -> int:
    """Never a key's newest event, but the tombstones among them: who stands before one of these must resync."""
    removing = [type.name for type in kind.types if type.removes]
    gone = Event.objects.filter(
        channel=channel.name, offset__isnull=False, type__in=removing, created_at__lt=now - timedelta(seconds=kind.window.seconds)
    )
    last = gone.aggregate(last=Max("offset"))["last"] if removing else None
    if last is None:
        return 0
    with transaction.atomic():
        Channel.objects.filter(pk=channel.pk, tail__lte=last).update(tail=last + 1)
        return gone.filter(offset__lte=last).delete()[0]


def _delete(ids: Iterable[int]) -> int:
    deleted, all_ids = 0, list(ids)
    for start in range(0, len(all_ids), PORTION):
        deleted += Event.objects.filter(pk__in=all_ids[start : start + PORTION]).delete()[0]
    return deleted
