"""The job of a way out: lease what is due, ask whether it is still needed, send, and keep what came of it."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import datetime
from typing import Any

from django.utils import timezone

from notifications import transports, unsubscribing
from notifications.deliveries import leasing
from notifications.deliveries.facts import facts, wishes
from notifications.deliveries.needed import still_needed
from notifications.models import Delivery
from notifications.transports import Accepted, NotSent, Parcel, Transport

logger = logging.getLogger(__name__)

AT_ONCE = 16  # leased together: two rounds of eight, which end within the lease even where every one of them hangs
THREADS = 8

Clock = Callable[[], datetime]


def work_off(name: str, *, clock: Clock = timezone.now) -> int:
    """The job `deliveries_<name>`: send whatever is due this way. May run many times at once. Returns how many it dealt with."""
    transport, dealt = transports.of(name), 0
    if transport is None or not transport.is_set_up():
        return 0
    while not _ending() and (claimed := leasing.claim_due(name, now=clock(), limit=AT_ONCE)):
        _deal_with(transport, claimed, clock)
        dealt += len(claimed)
    return dealt


def _ending() -> bool:
    """Whether this process is about to end: a command without a broker works off in a thread what it woke, and takes no more on then."""
    return not threading.main_thread().is_alive()


def _deal_with(transport: Transport[Any], claimed: Sequence[Delivery], clock: Clock) -> None:
    now = clock()
    needed = _still_needed(transport, claimed, now)
    addresses = transport.addresses({delivery.item.user_id for delivery in needed})
    parcels: list[tuple[Delivery, Parcel[Any]]] = []
    for delivery in needed:
        address = addresses.get(delivery.item.user_id)
        if address is None:
            leasing.finish(delivery, "skipped", transport.lacking, now=now)
        elif delivery.attempts >= leasing.MOST_ATTEMPTS:
            leasing.finish(delivery, "dead", "Its worker died each time.", now=now)
        else:
            parcels.append((delivery, parcel(delivery, address)))
    if parcels:
        _send_all(transport, parcels, clock)


def _still_needed(transport: Transport[Any], claimed: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """Those that are; the others are ended or put off, with their reason."""
    known, needed = wishes({delivery.item.user_id for delivery in claimed}), []
    for delivery in claimed:
        verdict = still_needed(facts(delivery.item, transport.name, known, now=now), now=now)
        if verdict.reason is None:
            needed.append(delivery)
        elif verdict.until is not None:
            leasing.postpone(delivery, verdict.until, verdict.reason.stored())
        else:
            leasing.finish(delivery, "skipped", verdict.reason.stored(), now=now)
    return needed


def parcel(delivery: Delivery, address: Any) -> Parcel[Any]:
    item = delivery.item
    return Parcel(
        # When it arrived: what is said anew under the same key is another message.
        id=f"{delivery.pk}-{item.arrived_at.timestamp() * 1_000_000:.0f}",
        address=address,
        notification=item.notification,
        user=item.user,
        arrived_at=item.arrived_at,
        unsubscribe=unsubscribing.link(item.user, item.notification.category, delivery.transport),
    )


def _send_all(transport: Transport[Any], parcels: Sequence[tuple[Delivery, Parcel[Any]]], clock: Clock) -> None:
    """Side by side, so that one that hangs does not hold up the others; whatever touches the database stays in this thread."""
    waiting, running = deque(parcels), {}
    with ThreadPoolExecutor(min(THREADS, len(parcels)), thread_name_prefix="signalbox-delivery") as pool:
        while waiting:
            delivery, made = waiting[0]
            # The last question: whoever withdrew it meanwhile has taken it off us.
            if leasing.begin(delivery):
                try:
                    running[pool.submit(transport.send, made)] = delivery
                except RuntimeError:  # the process ends: no thread takes anything any more
                    break
            waiting.popleft()
        for delivery, _ in waiting:
            leasing.give_back(delivery, now=clock())
        for future in as_completed(running):
            _note(transport, running[future], future, now=clock())


def _note(transport: Transport[Any], delivery: Delivery, future: Future[Accepted], *, now: datetime) -> None:
    try:
        accepted = future.result()
    except NotSent as error:
        leasing.fail(delivery, str(error), now=now, permanent=error.permanent, after=error.after)
        if error.gone:
            transport.forget(error.gone)
    except Exception:
        # A transport's own mistake: its other deliveries go on, and this one is tried again.
        logger.exception("The transport %s broke.", transport.name)
        leasing.fail(delivery, "Something broke on our side; it is logged.", now=now)
    else:
        leasing.finish(delivery, "done", accepted.note, now=now)
        if accepted.gone:
            transport.forget(accepted.gone)
