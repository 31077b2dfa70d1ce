"""Ways to break the product on purpose, one for each verdict: CHAOS_SABOTAGE=<verdict>. A checker that cannot fail proves nothing."""

import atexit
import queue
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any


def deleted_before_numbering() -> None:
    """lost: every 17th committed event of a log is gone before anybody numbers it."""
    from core.delivery import sequencer
    from core.models import Event

    number = sequencer.sequence

    def sequence(channels: Collection[str], **more: Any) -> Any:
        waiting = Event.objects.filter(channel__in=list(channels), channel__startswith="chaoslog:", offset__isnull=True)
        Event.objects.filter(pk__in=[pk for pk in waiting.values_list("pk", flat=True) if pk % 17 == 0]).delete()
        return number(channels, **more)

    sequencer.sequence = sequence


def published_before_commit() -> None:
    """ghost: events go in by a transaction of their own, whatever becomes of the caller's."""
    from django.db import transaction

    from core.delivery import publishing

    publish_many = publishing.publish_many
    waiting: queue.Queue[list[Any]] = queue.Queue()

    def publish_apart() -> None:
        while True:
            events = waiting.get()
            with transaction.atomic():
                publish_many(events)
            waiting.task_done()

    def hand_over(events: Iterable[Any]) -> list[int]:
        waiting.put(list(events))
        return [0]

    threading.Thread(target=publish_apart, daemon=True).start()
    atexit.register(waiting.join)
    publishing.publish_many = hand_over


def sent_twice() -> None:
    """double: a batch that comes again is fanned out again (the clients of the self-test look for duplicates as little)."""
    from core.delivery.channel import Keeps
    from core.delivery.fanout import FanOut
    from core.delivery.forms import Entry

    on_batch = FanOut.on_batch

    async def without_check(fanout: Any, channel: str, span: Any, events: Sequence[Any]) -> None:
        topic = fanout._hub.topics.get(channel)
        if topic is None or not topic.opened or span.end > topic.head or topic.kind.keeps is Keeps.STATE:
            return await on_batch(fanout, channel, span, events)
        entries = [Entry(topic.kind, topic.name.key, event) for event in events]
        for connection, subscription in list(topic.subscriptions.items()):
            if subscription.cursor >= span.end and not connection.held and connection.outlet.has_credit:
                text = connection.form.frame(topic.name, span, entries, connection.reader.user)
                connection.outlet.send_frame(text, topic.text, topic.epoch, span.end)

    FanOut.on_batch = without_check


def numbered_backwards() -> None:
    """disorder: what waits on a log is numbered newest first."""
    from core.delivery import sequencer
    from core.delivery.channel import Keeps

    survivors = sequencer._survivors

    def backwards(kind: Any, channel: str, rows: Sequence[Any]) -> Any:
        return survivors(kind, channel, rows[::-1] if kind.keeps is Keeps.LOG else rows)

    sequencer._survivors = backwards


def unpolled_state() -> None:
    """stale: every other batch of a state channel is lost on its way, the only one of a quiet channel too, and nobody looks for it."""
    from core.delivery import history, reading
    from core.delivery.channel import Keeps, registry
    from core.delivery.fanout import FanOut

    moved, on_batch = history.moved, FanOut.on_batch
    came: Counter[str] = Counter()

    def of_logs(heads: Mapping[str, int]) -> Any:
        return moved({name: head for name, head in heads.items() if registry.of(name).keeps is Keeps.LOG})

    async def of_logs_or_even(fanout: Any, channel: str, span: Any, events: Sequence[Any]) -> None:
        came[channel] += 1
        if registry.of(channel).keeps is Keeps.LOG or came[channel] % 2 == 0:
            await on_batch(fanout, channel, span, events)

    reading.history = _Instead(history, moved=of_logs)  # the hub's own view only: pages read positions as ever
    FanOut.on_batch = of_logs_or_even


def unchecked() -> None:
    """leak: whoever asks may read."""
    from core.delivery import arrivals, recheck
    from core.delivery.channel import ChannelName

    def everything(asked: Any) -> Any:
        return {(reader, ChannelName(kind.name, key)) for kind, pairs in asked.items() for reader, key in pairs}

    arrivals.readable = recheck.readable = everything


class _Instead:
    """A module with some names replaced."""

    def __init__(self, module: Any, **names: Any) -> None:
        self._module, self._names = module, names

    def __getattr__(self, name: str) -> Any:
        return self._names.get(name) or getattr(self._module, name)


WAYS: dict[str, Callable[[], None]] = {
    "lost": deleted_before_numbering,
    "ghost": published_before_commit,
    "double": sent_twice,
    "disorder": numbered_backwards,
    "stale": unpolled_state,
    "leak": unchecked,
}
